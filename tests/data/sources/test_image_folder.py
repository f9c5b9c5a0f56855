"""An image folder, zip or tar gives its images, classes and splits; contradictions are refused in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset
from ganflow.errors import ConfigError
from tests.data.made import encoded, everything, noise, png, refused, source, write_tar, write_tree, write_zip


def tree(n: int = 30) -> dict[str, bytes]:
    return {f"{'bac'[i % 3]}/{i:03d}.png": png(noise(i, 6, 6, 3)) for i in range(n)}


def split_tree(n: int = 12) -> dict[str, bytes]:
    return {f"{split}/{name}": raw for split in ("train", "test") for name, raw in tree(n).items()}


def digest_of(path: Path, out: Path) -> str:
    return str(prepare(source("image_folder", path), out)["digest"])


def test_folder_zip_and_tars_give_the_same_bytes(tmp_path: Path) -> None:
    files = tree()
    shuffled = dict(sorted(files.items(), key=lambda item: item[0][::-1]))
    paths = [write_tree(tmp_path / "folder", files), write_zip(tmp_path / "a.zip", shuffled)]
    paths += [write_tar(tmp_path / f"a.tar.{c}", shuffled, c) for c in ("", "gz", "bz2", "xz")]
    paths.append(write_zip(tmp_path / "wrapped.zip", {f"cifar/{name}": raw for name, raw in files.items()}))
    paths.append(write_tar(tmp_path / "dotted.tar", {f"./{name}": raw for name, raw in files.items()}))
    assert len({digest_of(path, tmp_path / f"out{i}") for i, path in enumerate(paths)}) == 1


def test_classes_are_sorted_and_labels_point_to_them(tmp_path: Path) -> None:
    files = split_tree()
    prepare(source("image_folder", write_tree(tmp_path / "in", files)), tmp_path / "data")
    data = Dataset.open(tmp_path / "data")
    expected = [(np.asarray(Image.open(tmp_path / "in" / f)), f.split("/")[1]) for f in sorted(files) if "train" in f]
    assert data.classes == ["a", "b", "c"]
    assert [data.classes[k] for k in np.asarray(data.labels)] == [name for _, name in expected]
    np.testing.assert_array_equal(everything(tmp_path / "data").transpose(0, 2, 3, 1), [p for p, _ in expected])


def test_a_tenth_of_every_class_is_held_out_without_a_test_folder(tmp_path: Path) -> None:
    files = tree(60)
    path = write_zip(tmp_path / "a.zip", files)
    prepare(source("image_folder", path), tmp_path / "data")
    assert np.bincount(Dataset.open(tmp_path / "data").labels).tolist() == [18, 18, 18]
    assert np.bincount(Dataset.open(tmp_path / "data", "test").labels).tolist() == [2, 2, 2]
    both = np.concatenate([everything(tmp_path / "data", split) for split in ("train", "test")])
    assert len({image.tobytes() for image in both}) == 60
    report = prepare(source("image_folder", path, test_share=0.0), tmp_path / "data")
    assert list(report["splits"]) == ["train"]


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_validation_folder_serves_as_test(name: str, tmp_path: Path) -> None:
    files = {f.replace("test/", f"{name}/"): raw for f, raw in split_tree().items()}
    report = prepare(source("image_folder", write_zip(tmp_path / "a.zip", files)), tmp_path / "data")
    assert {split: report["splits"][split]["count"] for split in report["splits"]} == {"train": 12, "test": 12}


def test_loose_images_are_unlabelled(tmp_path: Path) -> None:
    files = {f"{i}.png": png(noise(i, 6, 6, 3)) for i in range(20)}
    prepare(source("image_folder", write_zip(tmp_path / "a.zip", files)), tmp_path / "data")
    data = Dataset.open(tmp_path / "data")
    assert (data.facts.num_classes, data.classes, np.asarray(data.labels).tolist()) == (0, [], [0] * 18)


def test_what_is_no_image_is_left_out_and_counted(tmp_path: Path) -> None:
    rubbish = {"notes.txt": b"x", "a/.hidden.png": b"x", "__MACOSX/a/1.png": b"x", "a/README": b"x", "b/x.txt": b""}
    path = write_zip(tmp_path / "a.zip", {**tree(), **rubbish})
    report = prepare(source("image_folder", path), tmp_path / "data")
    assert report["ignored"] == {".txt": 2, "hidden": 2, "no suffix": 1}
    assert report["digest"] == digest_of(write_zip(tmp_path / "b.zip", tree()), tmp_path / "other")


@pytest.mark.parametrize("write", [write_tar, write_zip])
def test_members_that_lead_out_of_the_archive_are_left_out(write: Any, tmp_path: Path) -> None:
    evil = {"../evil/1.png": png(noise(0, 6, 6, 3)), "/evil/2.png": png(noise(1, 6, 6, 3)), "a/../../3.png": b""}
    path = write(tmp_path / "in.archive", {**tree(), **evil})
    report = prepare(source("image_folder", path), tmp_path / "data")
    assert report["ignored"] == {"outside of the archive": 3}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "in.archive"]


def test_channels_follow_the_headers_or_the_option(tmp_path: Path) -> None:
    grey = {f"a/{i}.png": png(noise(i, 6, 6)) for i in range(20)}
    path = write_zip(tmp_path / "grey.zip", grey)
    assert prepare(source("image_folder", path), tmp_path / "data")["facts"]["channels"] == 1
    assert prepare(source("image_folder", path, channels=3), tmp_path / "data")["facts"]["channels"] == 3
    mixed = write_zip(tmp_path / "mixed.zip", {**grey, "a/z.png": png(noise(0, 6, 6, 3))})
    assert prepare(source("image_folder", mixed), tmp_path / "data")["facts"]["channels"] == 3
    assert prepare(source("image_folder", mixed, channels=1), tmp_path / "data")["facts"]["channels"] == 1


def test_sizes_that_do_not_agree(tmp_path: Path) -> None:
    mixed = write_zip(tmp_path / "mixed.zip", {"a/1.png": png(noise(0, 6, 6)), "a/2.png": png(noise(0, 5, 5))})
    line = refused("image_folder", mixed, tmp_path)
    assert "data.resize=0: leaves images of mixed sizes: a/2.png is 5x5, the first image 6x6" in line
    oblong = write_zip(tmp_path / "oblong.zip", {"a/1.png": png(noise(0, 6, 9))})
    assert prepare(source("image_folder", oblong), tmp_path / "data")["facts"]["shape"] == [1, 6, 9]
    report = prepare(source("image_folder", mixed, resize=4, test_share=0.0), tmp_path / "data")
    assert report["facts"]["resolution"] == 4
    assert prepare(source("image_folder", oblong, crop=True), tmp_path / "data")["facts"]["resolution"] == 6


ONE = {"a/1.png": png(noise(0, 6, 6))}


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "holds no images (no files at all)"),
        ({"a.txt": b"", "b.txt": b""}, "holds no images (2 .txt)"),
        (
            {**ONE, "loose.png": b""},
            "labels do not match: 1 image of the source beside class folders, such as loose.png",
        ),
        ({"train/a/1.png": b"", "test/b/1.png": b""}, "test/ has classes that train/ has not: b"),
        ({"train/a/1.png": b"", "test/1.png": b""}, "test/ has no class folders, train/ has"),
        ({"a/1.png": b"rubbish"}, "none of its 1 images can be read"),
    ],
)
def test_contradictions_are_told(files: dict[str, bytes], says: str, tmp_path: Path) -> None:
    line = refused("image_folder", write_zip(tmp_path / "a.zip", files), tmp_path)
    assert says in line
    assert line.startswith("data.path=")


def test_archives_that_are_none(tmp_path: Path) -> None:
    assert "does not exist" in refused("image_folder", tmp_path / "nowhere", tmp_path)
    (tmp_path / "file.tar").write_bytes(b"rubbish")
    assert "not a folder, zip or tar" in refused("image_folder", tmp_path / "file.tar", tmp_path)


@pytest.mark.parametrize("compression", ["", "gz", "bz2", "xz"])
def test_a_truncated_tar_is_damaged(compression: str, tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", tree(60), compression)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "a.tar is damaged" in refused("image_folder", path, tmp_path)


@pytest.mark.parametrize(
    ("option", "value"), [("channels", 2), ("on_bad_image", "ignore"), ("test_share", 1.0), ("resize", -3)]
)
def test_an_impossible_option_is_named_with_its_key(option: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"^data\.{option}={value}: "):
        source("image_folder", "somewhere", **{option: value})


def test_a_link_to_a_class_folder_is_followed_and_a_loop_ends(tmp_path: Path) -> None:
    write_tree(tmp_path / "far", ONE)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a").symlink_to(tmp_path / "far/a")
    (tmp_path / "far/a/loop").symlink_to(tmp_path / "in")
    assert prepare(source("image_folder", tmp_path / "in"), tmp_path / "data")["splits"]["train"]["count"] == 1


def test_sixteen_bit_and_rotated_images_come_out_right_in_a_folder(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = noise(0, 6, 6)
    files = {
        "a/1.png": encoded(Image.fromarray(pixels.astype(np.uint16) * 257)),
        "a/2.png": encoded(Image.fromarray(pixels), exif=exif),
    }
    prepare(source("image_folder", write_zip(tmp_path / "a.zip", files), test_share=0.0), tmp_path / "data")
    np.testing.assert_array_equal(everything(tmp_path / "data")[:, 0], [pixels, np.rot90(pixels, -1)])
