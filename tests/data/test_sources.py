"""Each source gives its images, labels, classes and splits, and refuses what contradicts itself in one line."""

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import encoded, everything, idx_bytes, noise, png, source, write_idx, write_tar, write_tree, write_zip
from PIL import Image
from sklearn.datasets import load_digits

from ganflow.data.dataset import Dataset, Facts
from ganflow.data.prepare import prepare
from ganflow.errors import ConfigError, GanflowError

SHARED = os.environ.get("GANFLOW_SHARED_DATA")  # a folder with the real MNIST and CIFAR-10; small made ones without it


def refused(name: str, path: Path, tmp_path: Path, **options: Any) -> str:
    with pytest.raises(GanflowError) as caught:
        prepare(source(name, path, **options), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


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
        assert [of[image.tobytes()] for image in everything(tmp_path / "data", split)] == data.labels.tolist()
    held = np.bincount(Dataset.open(tmp_path / "data", "test").labels)
    np.testing.assert_allclose(held / np.bincount(digits.target), 0.2, atol=0.005)


def test_digits_can_be_resized(tmp_path: Path) -> None:
    prepare(source("digits", resize=16, filter="box"), tmp_path / "big")
    prepare(source("digits"), tmp_path / "small")
    assert Dataset.open(tmp_path / "big").facts == Facts(16, 1, 10)
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
    assert (len(data), data.facts.resolution) == ((60000 if SHARED else 600), 32)


def test_idx_names_with_a_dot_and_a_prefix_are_found(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "in")
    for path in list(folder.iterdir()):
        path.rename(folder / ("emnist-letters-" + path.name.replace("-idx", ".idx")))
    prepare(source("idx", folder), tmp_path / "data")
    assert len(Dataset.open(tmp_path / "data", "test")) == 10


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


# image_folder


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
    assert [data.classes[k] for k in data.labels] == [name for _, name in expected]
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
    assert (data.facts.num_classes, data.classes, data.labels.tolist()) == (0, [], [0] * 18)


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
    assert "data.crop=false: a/1.png is 9x6, not square" in refused("image_folder", oblong, tmp_path)
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
            "labels do not match: 1 images of the source lie beside class folders, as loose.png",
        ),
        ({"train/a/1.png": b"", "test/b/1.png": b""}, "test/ has classes that train/ has not: b"),
        ({"train/a/1.png": b"", "test/1.png": b""}, "test/ has no class folders, train/ has"),
        ({"test/a/1.png": b"", "x/1.png": b""}, "there is a folder test/ and no train/"),
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
    assert "no folder, zip or tar" in refused("image_folder", tmp_path / "file.tar", tmp_path)


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
