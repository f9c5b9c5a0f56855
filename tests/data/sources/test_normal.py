"""Some classes of labelled images are normal: train and held_out have these alone, test has all."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset
from ganflow.data.summary import lines
from ganflow.errors import ConfigError
from tests.data.made import encoded, everything, noise, png, refused, source, write_idx, write_tree, write_zip


def animals(n: int = 60) -> dict[str, bytes]:
    return {f"{('ape', 'bee', 'cat')[i % 3]}/{i:03d}.png": png(noise(i, 6, 6, 3)) for i in range(n)}


def as_set(images: np.ndarray) -> set[bytes]:
    return {image.tobytes() for image in images}


def test_train_and_held_out_part_the_normal_images_of_train_and_test_is_as_before(tmp_path: Path) -> None:
    prepare(source("digits"), tmp_path / "all")
    report = prepare(source("digits", normal=[3]), tmp_path / "data")
    before = Dataset.open(tmp_path / "all")
    threes = before.images(np.flatnonzero(np.asarray(before.labels) == 3))
    train, held = everything(tmp_path / "data"), everything(tmp_path / "data", "held_out")
    assert len(held) == round(0.1 * len(threes))
    assert len(train) + len(held) == len(threes)
    assert as_set(train) | as_set(held) == as_set(threes)
    assert not as_set(train) & as_set(held)
    np.testing.assert_array_equal(everything(tmp_path / "data", "test"), everything(tmp_path / "all", "test"))
    for split in ("train", "held_out"):
        assert set(np.asarray(Dataset.open(tmp_path / "data", split).labels)) == {3}
    data = Dataset.open(tmp_path / "data", "test")
    assert (data.facts.normal, data.facts.num_classes, data.facts.masked) == ((3,), 10, False)
    assert report["facts"]["normal"] == [3]
    assert report["ignored"] == {"anomalous images of train": len(before) - len(threes)}
    assert (report["source"]["normal"], report["source"]["hold_out"]) == ([3], 0.1)


def test_the_lines_say_what_was_done(tmp_path: Path) -> None:
    got = lines(prepare(source("digits", normal=[3]), tmp_path / "data"))
    assert "; normal: 3; train 131 (the rest, normal alone: 3), test 359 (" in got[0]
    assert got[0].endswith("held_out 15 (0.1 of these)")
    assert got[1:] == ["left out: 1,292 anomalous images of train; reports/prepare.json lists them"]


def test_every_normal_class_is_held_out_in_its_share(tmp_path: Path) -> None:
    prepare(source("idx", write_idx(tmp_path / "in", 120, 12), normal=[2, 0, 2], hold_out=0.25), tmp_path / "data")
    assert Dataset.open(tmp_path / "data").facts.normal == (0, 2)
    assert np.bincount(Dataset.open(tmp_path / "data").labels).tolist() == [30, 0, 30]
    assert np.bincount(Dataset.open(tmp_path / "data", "held_out").labels).tolist() == [10, 0, 10]
    assert np.bincount(Dataset.open(tmp_path / "data", "test").labels).tolist() == [4, 4, 4]


def test_without_a_share_nothing_is_held_out(tmp_path: Path) -> None:
    report = prepare(source("digits", normal=[3], hold_out=0.0), tmp_path / "data")
    assert list(report["splits"]) == ["train", "test"]
    assert report["splits"]["train"]["count"] == 146


def test_without_normal_classes_the_options_leave_no_trace(tmp_path: Path) -> None:
    path = write_idx(tmp_path / "in")
    digests = [prepare(source("idx", path, hold_out=share), tmp_path / "data")["digest"] for share in (0.1, 0.5)]
    manifests = (tmp_path / "data/dataset.json").read_text()
    assert digests[0] == digests[1]
    assert "hold_out" not in manifests
    assert "normal" not in manifests


def test_classes_of_folders_are_called_by_name_and_wrapping_changes_nothing(tmp_path: Path) -> None:
    options: dict[str, Any] = {"normal": ["bee", "cat"], "test_share": 0.2}
    report = prepare(source("image_folder", write_tree(tmp_path / "in", animals()), **options), tmp_path / "data")
    assert report["splits"]["train"]["per_class"] == {"ape": 0, "bee": 14, "cat": 14}
    assert report["splits"]["held_out"]["per_class"] == {"ape": 0, "bee": 2, "cat": 2}
    assert report["splits"]["test"]["per_class"] == {"ape": 4, "bee": 4, "cat": 4}
    assert not report["warnings"]  # few apes in train are no fault
    wrapped = write_zip(tmp_path / "in.zip", {f"zoo/{name}": raw for name, raw in animals().items()})
    assert prepare(source("image_folder", wrapped, **options), tmp_path / "data")["digest"] == report["digest"]


def test_images_of_more_bits_are_decoded_again_as_detection_data(tmp_path: Path) -> None:
    files = {
        f"{'ab'[i % 2]}/{i:03d}.png": encoded(Image.fromarray(noise(i, 6, 6).astype(np.uint16) * 16)) for i in range(40)
    }
    prepare(source("image_folder", write_tree(tmp_path / "in", files), normal=["a"]), tmp_path / "data")
    assert everything(tmp_path / "data").max() > 240  # 12 bits in 16
    assert np.bincount(Dataset.open(tmp_path / "data").labels).tolist() == [16]
    assert Dataset.open(tmp_path / "data", "held_out").facts.normal == (0,)


def test_stacks_of_digits_have_normal_classes_too(tmp_path: Path) -> None:
    options: dict[str, Any] = {"normal": ["012"], "hold_out": 0.5, "count": 300, "test_count": 200}
    report = prepare(source("stacked_mnist", write_idx(tmp_path / "in"), **options), tmp_path / "data")
    assert report["splits"]["train"]["count"] == report["splits"]["train"]["per_class"]["012"]
    assert Dataset.open(tmp_path / "data").facts.normal == (0 * 9 + 1 * 3 + 2,)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"normal": ["dog"]}, "data.normal=[dog]: there is not a class dog, only ape, bee, cat"),
        ({"normal": ["ape", "bee", "cat"]}, "data.normal=[ape,bee,cat]: all classes are normal; leave out those that"),
        ({"normal": ["ape"], "test_share": 0.0}, "data.normal=[ape]: there is no test split to find anomalies in; a t"),
        ({"normal": ["ape"], "labels": "none"}, "data.normal=[ape]: the images have no classes (data.labels=none)"),
        ({"normal": ["ape"], "hold_out": 0.01}, "data.hold_out=0.01: holds out none of 18 normal images; 0 makes no s"),
    ],
)
def test_what_cannot_be_is_one_line(options: dict[str, Any], says: str, tmp_path: Path) -> None:
    line = refused("image_folder", write_tree(tmp_path / "in", animals()), tmp_path, **options)
    assert line.startswith(says)


@pytest.mark.parametrize(("lacks", "says"), [("ape", "has no normal images"), ("bee", "has no anomalies")])
def test_a_test_split_needs_both(lacks: str, says: str, tmp_path: Path) -> None:
    files = {
        f"{split}/{name}": raw for split in ("train", "test") for name, raw in animals().items() if "cat" not in name
    }
    files = {name: raw for name, raw in files.items() if not name.startswith(f"test/{lacks}")}
    line = refused("image_folder", write_tree(tmp_path / "in", files), tmp_path, normal=["ape"])
    assert line == f"data.normal=[ape]: the test split {says}, and detection is measured on both"


@pytest.mark.parametrize(
    ("option", "value"), [("normal", [1.5]), ("normal", [True]), ("hold_out", 1.0), ("hold_out", -0.1)]
)
def test_an_impossible_option_is_named_with_its_key(option: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^data\.{option}="):
        source("digits", **{option: value})
