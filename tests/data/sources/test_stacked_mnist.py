"""Three digits stand on one another, every triple as likely, and the label says which."""

from pathlib import Path

import numpy as np
import pytest

from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset, Facts
from ganflow.errors import ConfigError
from tests.data.made import everything, idx_bytes, noise, refused, source, write_idx


def test_every_channel_is_a_digit_of_its_own_label(tmp_path: Path) -> None:
    report = prepare(source("stacked_mnist", write_idx(tmp_path / "in"), count=2000, test_count=300), tmp_path / "data")
    assert report["source"]["count"] == 2000
    for split, n, seed in (("train", 40, 0), ("test", 10, 1)):
        of = {image.tobytes(): i % 3 for i, image in enumerate(noise(seed, n, 6, 6))}
        data, images = Dataset.open(tmp_path / "data", split), everything(tmp_path / "data", split)
        assert data.facts == Facts((3, 6, 6), 27, "stacked")
        triples = [[of[channel.tobytes()] for channel in image] for image in images]
        np.testing.assert_array_equal(data.labels, np.array(triples) @ [9, 3, 1])
        assert [data.classes[k] for k in np.asarray(data.labels)] == ["".join(map(str, triple)) for triple in triples]


def test_channels_are_drawn_independently_and_evenly(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "in", train=300)
    prepare(source("stacked_mnist", folder, count=30_000), tmp_path / "data")
    counts = np.bincount(Dataset.open(tmp_path / "data").labels, minlength=27)
    expected = 30_000 / 27
    chi2 = ((counts - expected) ** 2 / expected).sum()
    assert 8.4 < chi2 < 54.1  # 26 degrees of freedom: all but one in a thousand on either side


def test_a_seed_gives_the_same_triples(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "in")

    def digest(out: str, **options: int) -> str:
        report = prepare(source("stacked_mnist", folder, count=200, test_count=20, **options), tmp_path / out)
        return str(report["digest"])

    assert digest("a") == digest("b", seed=0) != digest("c", seed=1)


def test_digits_are_resized_one_by_one(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "in")
    for out, resize in (("small", 0), ("large", 12)):
        options = {"count": 50, "resize": resize, "filter": "box"}
        prepare(source("stacked_mnist", folder, **options), tmp_path / out)
    np.testing.assert_array_equal(everything(tmp_path / "large")[..., ::2, ::2], everything(tmp_path / "small"))


def test_more_than_ten_classes_are_refused(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "in")
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes((np.arange(40) % 12).astype(np.uint8)))
    assert "data.path=" in (line := refused("stacked_mnist", folder, tmp_path))
    assert line.endswith("holds 12 classes; stacks are of at most ten digits")


def test_options_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"data\.path=: must name the folder"):
        source("stacked_mnist")
    with pytest.raises(ConfigError, match=r"data\.count=0: must be at least 1"):
        source("stacked_mnist", "here", count=0)


def test_digits_of_two_places_keep_names_of_their_own(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "in")
    for split, count in (("train", 40), ("t10k", 10)):
        labels = np.array([1, 11], np.uint8)[np.arange(count) % 2]
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    prepare(source("stacked_mnist", folder, count=50, test_count=20), tmp_path / "data")
    names = ["1-1-1", "1-1-11", "1-11-1", "1-11-11", "11-1-1", "11-1-11", "11-11-1", "11-11-11"]
    assert Dataset.open(tmp_path / "data").classes == names
