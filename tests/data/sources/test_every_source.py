"""Each source gives its images, labels, classes and splits, and refuses what contradicts itself in one line."""

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset, Facts
from ganflow.errors import ConfigError, GanflowError
from tests.data.made import (
    everything,
    idx_bytes,
    noise,
    refused,
    source,
    write_idx,
)

SHARED = os.environ.get("GANFLOW_SHARED_DATA")  # a folder with the real MNIST and CIFAR-10; small made ones without it


# digits


def test_digits_are_all_of_scikit_learns_digits(tmp_path: Path) -> None:
    report = prepare(source("digits"), tmp_path / "data")
    assert report["facts"] == {"resolution": 8, "channels": 1, "num_classes": 10}
    train, test = everything(tmp_path / "data"), everything(tmp_path / "data", "test")
    assert (len(train), len(test)) == (1438, 359)
    got = sorted(image.tobytes() for image in np.concatenate([train, test])[:, 0])
    original = load_digits().images
    assert got == sorted(image.tobytes() for image in np.rint(original * 255 / 16).astype(np.uint8))


def test_every_digit_is_held_out_to_a_fifth_and_keeps_its_label(tmp_path: Path) -> None:
    prepare(source("digits"), tmp_path / "data")
    digits = load_digits()
    of = {
        np.rint(i * 255 / 16).astype(np.uint8).tobytes(): t for i, t in zip(digits.images, digits.target, strict=True)
    }
    for split in ("train", "test"):
        data = Dataset.open(tmp_path / "data", split)
        assert [of[image.tobytes()] for image in everything(tmp_path / "data", split)] == np.asarray(
            data.labels
        ).tolist()
    held = np.bincount(Dataset.open(tmp_path / "data", "test").labels)
    np.testing.assert_allclose(held / np.bincount(digits.target), 0.2, atol=0.005)


def test_digits_can_be_resized(tmp_path: Path) -> None:
    prepare(source("digits", resize=16, filter="box"), tmp_path / "big")
    prepare(source("digits"), tmp_path / "small")
    assert Dataset.open(tmp_path / "big").facts == Facts((1, 16, 16), 10)
    np.testing.assert_array_equal(everything(tmp_path / "big")[..., ::2, ::2], everything(tmp_path / "small"))


# idx


@pytest.mark.parametrize("packed", [False, True])
def test_idx_gives_its_bytes(packed: bool, tmp_path: Path) -> None:
    report = prepare(source("idx", write_idx(tmp_path / "in", packed=packed)), tmp_path / "data")
    np.testing.assert_array_equal(everything(tmp_path / "data")[:, 0], noise(0, 40, 6, 6))
    np.testing.assert_array_equal(everything(tmp_path / "data", "test")[:, 0], noise(1, 10, 6, 6))
    np.testing.assert_array_equal(Dataset.open(tmp_path / "data").labels, np.arange(40) % 3)
    assert report["splits"]["train"]["per_class"] == {"0": 14, "1": 13, "2": 13}


def test_mnist_itself(tmp_path: Path) -> None:
    path = Path(SHARED) / "mnist" if SHARED else write_idx(tmp_path / "in", 600, 100, side=28, packed=True)
    prepare(source("idx", path, resize=32), tmp_path / "data")
    data = Dataset.open(tmp_path / "data")
    raw = gzip.decompress((path / "train-labels-idx1-ubyte.gz").read_bytes())
    np.testing.assert_array_equal(data.labels, np.frombuffer(raw, np.uint8, offset=8))
    assert (len(data), data.facts.shape) == ((60000 if SHARED else 600), (1, 32, 32))


def test_idx_names_with_a_dot_and_a_prefix_are_found(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "in")
    for path in list(folder.iterdir()):
        path.rename(folder / ("emnist-letters-" + path.name.replace("-idx", ".idx")))
    prepare(source("idx", folder), tmp_path / "data")
    assert len(Dataset.open(tmp_path / "data", "test")) == 10


@pytest.mark.parametrize(
    "ids", [list(range(1, 27)), [3, 8], [0, 255], [7]], ids=["letters", "two of ten", "far apart", "only one"]
)
def test_idx_labels_begin_anywhere_and_may_have_gaps(ids: list[int], tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "in", train=60, test=30)
    labels = {split: np.array(ids, np.uint8)[np.arange(n) % len(ids)] for split, n in (("train", 60), ("t10k", 30))}
    for split, its in labels.items():
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(idx_bytes(its))
    report = prepare(source("idx", folder), tmp_path / "data")
    for split, its in (("train", labels["train"]), ("test", labels["t10k"])):
        data = Dataset.open(tmp_path / "data", split)
        assert data.classes == [str(k) for k in ids]
        assert [int(data.classes[k]) for k in np.asarray(data.labels)] == its.tolist()
        assert min(report["splits"][split]["per_class"].values()) > 0
    assert report["understood"] == {
        "splits": {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"},
        "labels": "the labels files",
        "warnings": [],
    }


def test_an_idx_label_that_train_lacks_is_told_with_those_that_it_has(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "in")
    for split, its in (("train", [1, 2, 3, 5] * 10), ("t10k", [4] * 10)):
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(idx_bytes(np.array(its, np.uint8)))
    line = refused("idx", folder, tmp_path)
    assert line == f"{folder}/t10k-labels-idx1-ubyte: label 4, train has 1..3, 5 only"


def test_idx_without_a_test_split_has_none(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "in")
    for path in folder.glob("t10k*"):
        path.unlink()
    prepare(source("idx", folder), tmp_path / "data")
    with pytest.raises(GanflowError, match="no split 'test'"):
        Dataset.open(tmp_path / "data", "test")


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        (IMAGES, lambda raw: raw[:-1], "truncated: its header says 40x6x6 = 1440 bytes, it holds 1439"),
        (IMAGES, lambda raw: raw + b"x", "too long"),
        (IMAGES, lambda raw: raw[:9], "truncated within its header"),
        (IMAGES, lambda raw: b"", "begins with nothing"),
        (IMAGES, lambda raw: b"\x89PNG" + raw, "begins with 89504e47, IDX of this kind with 00000803"),
        (IMAGES, lambda raw: idx_bytes(noise(0, 0, 6, 6)), "holds no images"),
        (LABELS, lambda raw: idx_bytes(noise(0, 39)), "39 labels for the 40 images"),
        (LABELS, lambda raw: idx_bytes(noise(0, 40, 6, 6)), "begins with 00000803"),
        (LABELS, None, "train-labels-idx1-ubyte is missing beside it"),
        (IMAGES, None, "holds no train-images-idx3-ubyte"),
        ("t10k-labels-idx1-ubyte", lambda raw: raw[:-1] + b"\x07", "label 7, train has 0..2 only"),
        ("t10k-images-idx3-ubyte", lambda raw: idx_bytes(noise(1, 10, 5, 6)), "images are 5x6, those of train 6x6"),
    ],
)
def test_idx_that_is_damaged_says_which_file_and_how(file: str, change: Any, says: str, tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "in")
    raw = (folder / file).read_bytes()
    (folder / file).unlink()
    if change is not None:
        (folder / file).write_bytes(change(raw))
    line = refused("idx", folder, tmp_path)
    assert says in line
    assert file in line


@pytest.mark.parametrize("keep", [30, -9])
def test_a_truncated_gzip_is_refused(keep: int, tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "in", packed=True)
    path = folder / f"{IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:keep])
    assert f"{IMAGES}.gz: truncated gzip file" in refused("idx", folder, tmp_path)


def test_idx_paths_that_are_no_folder(tmp_path: Path) -> None:
    assert "data.path=" in refused("idx", tmp_path / "nowhere", tmp_path)
    (tmp_path / "file").write_bytes(b"x")
    assert "must be a folder" in refused("idx", tmp_path / "file", tmp_path)
    with pytest.raises(ConfigError, match=r"data\.path=: must name the folder"):
        source("idx")


def test_oblong_idx_images_stay_so_or_are_cut_to_their_centre(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "in", test=40)
    for name, seed in ((IMAGES, 0), ("t10k-images-idx3-ubyte", 1)):
        (folder / name).write_bytes(idx_bytes(noise(seed, 40, 6, 8)))
    prepare(source("idx", folder), tmp_path / "whole")
    assert Dataset.open(tmp_path / "whole").facts.shape == (1, 6, 8)
    np.testing.assert_array_equal(everything(tmp_path / "whole")[:, 0], noise(0, 40, 6, 8))
    prepare(source("idx", folder, crop=True), tmp_path / "data")
    np.testing.assert_array_equal(everything(tmp_path / "data")[:, 0], noise(0, 40, 6, 8)[..., 1:7])
