"""Labels that files state are those of the images, wherever the files lie; what they leave open is one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganflow.data.layout.labels import classes_of
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset
from tests.data.made import noise, png, refused, source, write_tar, write_tree, write_zip

NAMES = [f"{i // 4:05}/img{i:08}.png" for i in range(12)]
IMAGES = {name: png(noise(i, 4, 4)) for i, name in enumerate(NAMES)}
WRITE = {"zip": write_zip, "tar": write_tar, "folder": write_tree}


def manifest(labels: Any) -> bytes:
    return json.dumps({"labels": labels}).encode()


def with_list(labels: Any) -> dict[str, bytes]:
    return {**IMAGES, "dataset.json": manifest(labels)}


def report_of(path: Path, tmp_path: Path, **options: Any) -> dict[str, Any]:
    return prepare(source("image_folder", path, test_share=0.0, **options), tmp_path / "data")


def classes_by_order(tmp_path: Path) -> list[str]:
    data = Dataset.open(tmp_path / "data")
    return [data.classes[k] for k in np.asarray(data.labels)]


@pytest.mark.parametrize("kind", WRITE)
@pytest.mark.parametrize("above", ["", "ffhq/"])
def test_a_list_of_labels_gives_the_classes(kind: str, above: str, tmp_path: Path) -> None:
    pairs = [[name, i % 5] for i, name in enumerate(NAMES)]
    files = {f"{above}{name}": raw for name, raw in with_list(pairs).items()}
    report = report_of(WRITE[kind](tmp_path / "in", files), tmp_path)
    assert classes_by_order(tmp_path) == [str(i % 5) for i in range(12)]
    assert report["understood"]["labels"] == f"{above}dataset.json"
    assert report["ignored"] == {}


def test_null_says_that_there_are_no_labels(tmp_path: Path) -> None:
    report = report_of(write_zip(tmp_path / "in.zip", with_list(None)), tmp_path)
    assert report["facts"]["num_classes"] == 0
    assert report["understood"]["labels"] == "dataset.json says so"


@pytest.mark.parametrize(
    ("label", "classes"),
    [
        (lambda i: i % 3 + 1, ["1", "2", "3"]),
        (lambda i: float(i % 2), ["0", "1"]),
        (lambda i: [0, 1, 0] if i % 2 else [0.0, 0.0, 1.0], ["1", "2"]),
        (lambda i: 10 ** (i % 3 * 10), ["1", "10000000000", "100000000000000000000"]),
        (lambda i: -1 if i < 3 else 4, ["-1", "4"]),
    ],
)
def test_numbers_of_any_kind_are_classes_of_their_own_names(label: Any, classes: list[str], tmp_path: Path) -> None:
    pairs = {name: label(i) for i, name in enumerate(NAMES)}
    report_of(write_zip(tmp_path / "in.zip", with_list(pairs)), tmp_path)
    data = Dataset.open(tmp_path / "data")
    assert data.classes == classes
    expected = [x.index(1) if isinstance(x := label(i), list) else int(x) for i in range(12)]
    assert [int(name) for name in classes_by_order(tmp_path)] == expected


WAY_OUT = "data.labels=folders or data.labels=none does without"


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (manifest([[n, "cat"] for n in NAMES]), f'{NAMES[0]} has the label "cat", not a whole number'),
        (manifest([[n, [0.5, 0.5]] for n in NAMES]), f"{NAMES[0]} has the label [0.5, 0.5], not"),
        (manifest([[n, 1.5] for n in NAMES]), f"{NAMES[0]} has the label 1.5, not"),
        (manifest([[n, None] for n in NAMES]), f"{NAMES[0]} has the label null, not"),
        (manifest([[n, True] for n in NAMES]), f"{NAMES[0]} has the label true, not"),
        (manifest([[n, [0] * 500] for n in NAMES]), "has the label [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, …, not"),
        (manifest([[n, 1] for n in NAMES[2:]]), f"dataset.json has no label for 2 of 12 images, such as {NAMES[0]}"),
        (manifest([]), "dataset.json has no label for 12 of 12 images"),
        (manifest(7), "dataset.json: labels must be a list of [image, label], or null"),
        (manifest([1, 2]), "dataset.json: labels must be a list of [image, label], or null"),
        (manifest([[1, 2]]), "dataset.json: labels must be a list of [image, label], or null"),
        (b"{", "dataset.json is not readable: Expecting property name"),
        (b"\xff\xfe\x00", "dataset.json is not readable: "),
    ],
)  # fmt: skip
def test_a_list_that_leaves_labels_open_is_one_line(raw: bytes, says: str, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "in.zip", {**IMAGES, "dataset.json": raw})
    line = refused("image_folder", path, tmp_path)
    assert says in line
    assert line.startswith("data.path=")
    assert line.endswith(WAY_OUT)
    assert report_of(path, tmp_path, labels="folders")["facts"]["num_classes"] == 3


def test_listed_images_that_are_missing_are_told(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "in.zip", with_list([[n, 1] for n in [*NAMES, "x/gone.png"]]))
    missing = "dataset.json lists 1 image that is not there, such as x/gone.png"
    assert refused("image_folder", path, tmp_path).endswith(f"{missing}; data.on_bad_image=skip goes on without them")
    assert report_of(path, tmp_path, on_bad_image="skip")["understood"]["warnings"] == [missing]


def test_a_file_of_that_name_for_something_else_is_left_out(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "in.zip", {**IMAGES, "dataset.json": b'{"title": "faces"}'})
    report = report_of(path, tmp_path)
    assert (report["facts"]["num_classes"], report["ignored"]) == (3, {".json": 1})


def test_every_split_may_have_a_list_of_its_own(tmp_path: Path) -> None:
    files = {f"{split}/{name}": raw for split in ("train", "val") for name, raw in IMAGES.items()}
    files |= {
        f"{split}/dataset.json": manifest([[n, i % 2] for i, n in enumerate(NAMES)]) for split in ("train", "val")
    }
    report = report_of(write_zip(tmp_path / "in.zip", files), tmp_path)
    assert {name: split["per_class"] for name, split in report["splits"].items()} == {
        "train": {"0": 6, "1": 6},
        "test": {"0": 6, "1": 6},
    }


def sidecars(suffix: str, content: Any, images: str = "{:06}.png") -> dict[str, bytes]:
    files = {images.format(i): png(noise(i, 4, 4)) for i in range(12)}
    return files | {f"{i:06}{suffix}": content(i).encode() for i in range(12)}


@pytest.mark.parametrize("kind", WRITE)
@pytest.mark.parametrize(
    ("suffix", "content", "classes"),
    [
        (".cls", lambda i: f"{i % 3 + 1}\n", ["1", "2", "3"]),
        (".cls", lambda i: "ab"[i % 2], ["a", "b"]),
        (".json", lambda i: json.dumps({"label": i % 2, "caption": "x"}), ["0", "1"]),
        (".json", lambda i: json.dumps({"cls": "cat" if i % 2 else "dog"}), ["cat", "dog"]),
    ],
)
def test_files_beside_the_images_give_the_classes(
    kind: str, suffix: str, content: Any, classes: list[str], tmp_path: Path
) -> None:
    report = report_of(WRITE[kind](tmp_path / "in", sidecars(suffix, content)), tmp_path)
    assert sorted(set(classes_by_order(tmp_path))) == classes
    assert report["understood"]["labels"] == f"{suffix} files"
    assert report["ignored"] == {}


def test_a_key_ends_at_the_first_dot(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "in.tar", sidecars(".cls", lambda i: str(i % 2), "{:06}.left.png"))
    assert report_of(path, tmp_path)["splits"]["train"]["per_class"] == {"0": 6, "1": 6}


def test_files_beside_the_images_that_are_no_labels(tmp_path: Path) -> None:
    captions = sidecars(".json", lambda i: json.dumps({"caption": "a cat"}))
    report = report_of(write_tar(tmp_path / "in.tar", captions), tmp_path)
    assert (report["facts"]["num_classes"], report["ignored"]) == (0, {".json": 12})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"000003.cls": b""}, "000003.cls does not hold a class, such as 3 or cat"),
        ({"000003.cls": b"\x80\x04K\x03."}, "000003.cls does not hold a class, such as 3 or cat"),
        ({"more.png": png(noise(0, 4, 4))}, "labels do not match: more.png has no .cls file with its label"),
    ],
)
def test_a_label_beside_an_image_that_is_none(change: dict[str, bytes], says: str, tmp_path: Path) -> None:
    path = write_tar(tmp_path / "in.tar", {**sidecars(".cls", lambda i: str(i % 2)), **change})
    line = refused("image_folder", path, tmp_path)
    assert line.endswith(f"{says}; {WAY_OUT}")


def test_numbers_are_sorted_by_size_and_names_by_the_alphabet() -> None:
    assert classes_of([10, 9, -1, 10]) == [-1, 9, 10]
    assert classes_of(["b", "10", "9"]) == ["10", "9", "b"]
