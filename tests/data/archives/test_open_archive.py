"""A folder of archives is one data set: portions by their numbers, folders by other names."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset
from tests.data.made import noise, png, refused, source, write_tar, write_tree, write_zip


def picture(i: int) -> bytes:
    return png(noise(i, 4, 4))


def shard(first: int) -> dict[str, bytes]:
    """Four images with their classes, under names that the next shard has too."""
    files = {f"{i:06}.png": picture(first + i) for i in range(4)}
    return files | {f"{i:06}.cls": str((first + i) % 3).encode() for i in range(4)}


def report_of(path: Path, tmp_path: Path, **options: Any) -> dict[str, Any]:
    return prepare(source("image_folder", path, test_share=0.0, **options), tmp_path / "data")


def test_numbered_tars_are_portions_of_the_whole(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for k in range(3):
        write_tar(tmp_path / f"in/{k:05}.tar", shard(4 * k))
    report = report_of(tmp_path / "in", tmp_path)
    data = Dataset.open(tmp_path / "data")
    assert report["splits"]["train"]["per_class"] == {"0": 4, "1": 4, "2": 4}
    assert np.asarray(data.labels).tolist() == [i % 3 for i in range(12)]
    np.testing.assert_array_equal(data.images(np.arange(12))[:, 0], [noise(i, 4, 4) for i in range(12)])
    assert report["understood"]["warnings"] == ["3 archives are read as one data set, such as 00000.tar"]


def test_numbered_tars_of_splits(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for split, count in (("train", 2), ("val", 1)):
        for k in range(count):
            write_tar(tmp_path / f"in/{split}-{k:05}-of-00002.tar.gz", shard(4 * k), "gz")
    (tmp_path / "in/README.md").write_bytes(b"x")
    report = report_of(tmp_path / "in", tmp_path)
    assert {name: split["count"] for name, split in report["splits"].items()} == {"train": 8, "test": 4}
    assert report["understood"]["splits"] == {"train": "train/", "test": "val/"}
    assert report["ignored"] == {".md": 1}


@pytest.mark.parametrize("names", [("Train.zip", "Test.zip"), ("x/train.zip", "x/test.zip")])
def test_an_archive_for_every_split(names: tuple[str, str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        write_zip(tmp_path / "in" / name, {f"{kind}/{i}.png": picture(i) for kind in "ab" for i in range(2)})
    report = report_of(tmp_path / "in", tmp_path)
    assert {name: split["per_class"] for name, split in report["splits"].items()} == {
        "train": {"a": 2, "b": 2},
        "test": {"a": 2, "b": 2},
    }


def test_an_archive_for_every_class(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("n01440764", "n01443537"):
        write_tar(tmp_path / f"in/{name}.tar", {f"{name}_{i}.png": picture(i) for i in range(3)})
    report = report_of(tmp_path / "in", tmp_path)
    assert report["splits"]["train"]["per_class"] == {"n01440764": 3, "n01443537": 3}


def test_an_archive_beside_images_is_left_out_and_counted(tmp_path: Path) -> None:
    write_tree(tmp_path / "in", {"a/1.png": picture(1), "b/2.png": picture(2)})
    write_zip(tmp_path / "in/old.zip", {"c/3.png": picture(3)})
    report = report_of(tmp_path / "in", tmp_path)
    assert report["ignored"] == {".zip": 1}
    assert report["facts"]["num_classes"] == 2


def test_a_damaged_archive_of_several_is_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for k in range(2):
        write_tar(tmp_path / f"in/{k}.tar", shard(4 * k))
    raw = (tmp_path / "in/1.tar").read_bytes()
    (tmp_path / "in/1.tar").write_bytes(raw[:2048])
    assert f"{tmp_path}/in/1.tar is damaged" in refused("image_folder", tmp_path / "in", tmp_path)
    (tmp_path / "in/1.tar").write_bytes(b"rubbish")
    assert "in/1.tar is not a folder, zip or tar" in refused("image_folder", tmp_path / "in", tmp_path)


def test_members_that_lead_out_of_one_of_several_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_tar(tmp_path / "in/0.tar", {**shard(0), "../x.png": picture(0), "/y.png": picture(0)})
    assert report_of(tmp_path / "in", tmp_path)["ignored"] == {"outside of the archive": 2}
