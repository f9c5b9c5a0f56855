"""Images of any other generator are opened whole or refused in one line."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganflow.data.prepared.dataset import Dataset
from ganflow.errors import GanflowError
from ganflow.evaluation.image_sets import as_samples, open_images

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 8, 8), np.uint8)


def folder_of(root: Path, pixels: Any = PIXELS, classes: tuple[str, ...] = ()) -> Path:
    for i, image in enumerate(pixels):
        place = root / classes[i % len(classes)] if classes else root
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{i:03d}.png")
    return root


def line_of(where: object, scratch: Path, like: Path | None = None) -> str:
    with pytest.raises(GanflowError) as refused:
        as_samples(Dataset.open(open_images(str(where), scratch)), Dataset.open(like or scratch / "data"), str(where))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_folder_an_archive_and_an_array_are_the_same_images(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "folder")
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    np.savez(tmp_path / "array.npz", images=PIXELS[..., None])
    np.save(tmp_path / "array.npy", PIXELS)
    np.savez(tmp_path / "unnamed.npz", PIXELS)
    for name in ("folder", "packed.zip", "array.npz", "array.npy", "unnamed.npz"):
        data = Dataset.open(open_images(str(tmp_path / name), tmp_path / f"scratch-{name}"))
        np.testing.assert_array_equal(data.images(np.arange(12)), PIXELS[:, None], err_msg=name)
        assert data.facts.num_classes == 0, name


def test_a_prepared_data_set_is_taken_as_it_is(digits: Path, tmp_path: Path) -> None:
    assert open_images(str(digits), tmp_path / "scratch") == digits
    assert not (tmp_path / "scratch").exists()


def test_a_folder_with_a_list_of_labels_is_a_folder_of_images(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "stylegan")
    labels = [[file.name, i % 2] for i, file in enumerate(sorted(folder.iterdir()))]
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    opened = Dataset.open(open_images(str(folder), tmp_path))
    np.testing.assert_array_equal(opened.images(np.arange(12))[:, 0], PIXELS)
    assert (opened.classes, np.asarray(opened.labels).tolist()) == (["0", "1"], [0, 1] * 6)


def test_samples_have_the_reference_s_classes_by_name(digits: Path, tmp_path: Path) -> None:
    reference = Dataset.open(digits)
    some = Dataset.open(open_images(str(folder_of(tmp_path / "some", classes=("9", "3"))), tmp_path / "a"))
    samples = as_samples(some, reference, "some")
    assert samples.labels is not None
    assert sorted(samples.labels.tolist()) == [3] * 6 + [9] * 6
    for index in range(12):
        image = samples.images(index, 1)[0, 0].numpy()
        assert samples.labels[index] == (9, 3)[[np.array_equal(image, p) for p in PIXELS].index(True) % 2]
    others = Dataset.open(open_images(str(folder_of(tmp_path / "others", classes=("nine", "3"))), tmp_path / "b"))
    assert as_samples(others, reference, "others").labels is None
    np.savez(tmp_path / "array.npz", images=PIXELS, labels=np.arange(12) % 5)
    array = Dataset.open(open_images(str(tmp_path / "array.npz"), tmp_path / "c"))
    np.testing.assert_array_equal(as_samples(array, reference, "array").labels, np.arange(12) % 5)


MUST_BE = "they must be (N, H, W, C) or (N, C, H, W), C 1 or 3, and only one of both can be meant"


@pytest.mark.parametrize("pixels", [PIXELS[:, :5], PIXELS[:, :5, :, None], np.repeat(PIXELS[:, None, :5], 3, 1)])
def test_arrays_of_oblong_images_are_read(pixels: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "oblong.npy", pixels)
    data = Dataset.open(open_images(str(tmp_path / "oblong.npy"), tmp_path / "scratch"))
    assert data.facts.shape[1:] == (5, 8)
    np.testing.assert_array_equal(data.images(np.arange(12))[:, 0], PIXELS[:, :5])


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (PIXELS / np.float32(127.5) - 1, "images are float32 from -1 to 1; they must be uint8, 0 to 255"),
        (np.full((2, 8, 8, 1), np.nan), "images are float64 with NaN or infinity; they must be uint8, 0 to 255"),
        (PIXELS.astype(np.int64), "images are int64 from 0 to 255; they must be uint8, 0 to 255"),
        (PIXELS[:, :3, :, None], f"images are (12, 3, 8, 1); {MUST_BE}"),
        (PIXELS[:0], f"images are (0, 8, 8); {MUST_BE}"),
        (
            np.repeat(PIXELS[..., None], 4, 3),
            f"images are (12, 8, 8, 4); {MUST_BE}",
        ),
    ],
)
def test_arrays_that_are_no_images_are_refused(pixels: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "array.npz"
    np.savez(path, images=pixels)
    assert line_of(path, tmp_path / "scratch") == f"{path}: {said}"


def test_labels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "array.npz"
    for labels, shape in (
        (np.arange(5), "int64(5,)"),
        (np.zeros(12), "float64(12,)"),
        (-np.ones(12, int), "int64(12,)"),
        (np.ones((12, 3), int), "int64(12, 3)"),
        (np.eye(3)[np.arange(12) % 3] * 2, "float64(12, 3)"),
        (np.full((12, 2), "cat"), "<U3(12, 2)"),
    ):
        np.savez(path, images=PIXELS, labels=labels)
        expected = f"{path}: labels are {shape}; they must be 12 whole numbers from 0, 12 names, or 12 rows with one 1"
        assert line_of(path, tmp_path / "scratch") == expected


def opened(path: Path, scratch: Path) -> Dataset:
    return Dataset.open(open_images(str(path), scratch))


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.arange(12) % 3 + 1, ["1", "2", "3"]),
        (np.arange(12)[:, None] % 3 * 500 + 1000, ["1000", "1500", "2000"]),
        (np.array(["cat", "dog", "eel"])[np.arange(12) % 3], ["cat", "dog", "eel"]),
        (np.array([b"cat", b"dog", "\u00e9l".encode()])[np.arange(12) % 3], ["cat", "dog", "\u00e9l"]),
        (np.eye(5)[np.arange(12) % 3 + 1], ["1", "2", "3"]),
        (np.eye(5, dtype=bool)[np.arange(12) % 3], ["0", "1", "2"]),
        (np.array([1, 2, 10], np.uint8)[np.arange(12) % 3], ["1", "2", "10"]),
    ],
)
def test_classes_are_those_that_have_an_image(
    labels: Any, classes: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    np.savez(tmp_path / "array.npz", images=PIXELS, labels=labels)
    data = opened(tmp_path / "array.npz", tmp_path / "scratch")
    assert data.classes == classes
    np.testing.assert_array_equal(data.labels, np.arange(12) % 3)
    one_hot = f"{tmp_path}/array.npz: labels are (12, 5), read as one column for each class"
    assert caplog.messages == ([one_hot] if labels.ndim == 2 and labels.shape[1] == 5 else [])


def test_channels_may_come_first_and_it_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    colour = np.random.default_rng(1).integers(0, 256, (12, 3, 8, 8), np.uint8)
    np.savez(tmp_path / "first.npz", colour, np.arange(12))  # arr_0 and arr_1, as guided diffusion has them
    np.savez(tmp_path / "last.npz", colour.transpose(0, 2, 3, 1), np.arange(12))
    first = opened(tmp_path / "first.npz", tmp_path / "a")
    last = opened(tmp_path / "last.npz", tmp_path / "b")
    for data in (first, last):
        np.testing.assert_array_equal(data.images(np.arange(12)), colour)
        np.testing.assert_array_equal(data.labels, np.arange(12))
    assert caplog.messages == [f"{tmp_path}/first.npz: images are (12, 3, 8, 8), read as (N, C, H, W)"]


def test_numbers_are_places_among_the_reference_s_classes_where_they_are_no_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    np.savez(tmp_path / "named.npz", images=PIXELS, labels=np.array(["cat", "dog", "eel"])[np.arange(12) % 3])
    np.savez(tmp_path / "ids.npz", images=PIXELS, labels=np.arange(12) % 2 + 1)
    np.savez(tmp_path / "beyond.npz", images=PIXELS, labels=np.arange(12) % 2 + 2)
    reference = opened(tmp_path / "named.npz", tmp_path / "a")
    for name, labels, said in (
        ("ids", np.arange(12) % 2 + 1, "class 1 is read as dog, 2 as eel: places among the reference's"),
        ("beyond", None, "its classes are left out, because the reference has no 2, 3; it has cat, dog, eel"),
    ):
        caplog.clear()
        samples = as_samples(opened(tmp_path / f"{name}.npz", tmp_path / name), reference, name)
        assert caplog.messages == [f"{name}: {said}"]
        np.testing.assert_array_equal(samples.labels, labels)


def test_only_the_arrays_that_are_needed_are_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "more.npz", images=PIXELS, latents=np.array([{}], object))
    assert len(opened(tmp_path / "more.npz", tmp_path / "a")) == 12
    np.savez(tmp_path / "statistics.npz", mu=np.zeros(4), sigma=np.eye(4))
    said = "has mu, sigma (statistics of images are not images); images are expected as `images` or `arr_0`"
    assert line_of(tmp_path / "statistics.npz", tmp_path / "b") == f"{tmp_path}/statistics.npz {said}"


def test_a_folder_with_splits_is_a_reference_with_both_and_samples_are_its_train_split(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for split, some in (("train", PIXELS[:8]), ("test", PIXELS[8:])):
        folder_of(tmp_path / "theirs" / split, some, ("cat", "dog"))
    where = str(tmp_path / "theirs")
    root = open_images(where, tmp_path / "scratch")
    train, test = Dataset.open(root), Dataset.open(root, "test")
    assert (len(train), len(test), train.classes) == (8, 4, ["cat", "dog"])
    assert caplog.messages[0].startswith(f"{where}: 12 grey images of 8x8; 2 classes")
    caplog.clear()
    assert len(as_samples(train, train, where)) == 8
    assert caplog.messages == [f"{where}: the samples are its split train, without test (4 images)"]


def test_pictures_of_other_sizes_become_squares_of_one(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "wide", PIXELS[:, :6])
    data = Dataset.open(open_images(str(folder), tmp_path / "b", {"crop": True, "resize": 4, "filter": "box"}))
    assert data.facts.shape == (1, 4, 4)
    expected = [np.asarray(Image.fromarray(p[:6, 1:7]).resize((4, 4), Image.Resampling.BOX)) for p in PIXELS]
    np.testing.assert_array_equal(data.images(np.arange(12))[:, 0], expected)


def test_damaged_and_missing_arrays_are_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, images=PIXELS)
    (tmp_path / "torn.npz").write_bytes(stream.getvalue()[:300])
    assert line_of(tmp_path / "torn.npz", tmp_path / "a").startswith(f"{tmp_path}/torn.npz: no readable array: ")
    assert line_of(tmp_path / "none.npz", tmp_path / "b") == f"{tmp_path}/none.npz: there is no such file"
    np.save(tmp_path / "code.npy", np.array([print], object), allow_pickle=True)
    assert "no readable array: Object arrays cannot be loaded" in line_of(tmp_path / "code.npy", tmp_path / "c")
    np.savez(tmp_path / "other.npz", pictures=PIXELS)
    expected = f"{tmp_path}/other.npz has pictures; images are expected as `images` or `arr_0`"
    assert line_of(tmp_path / "other.npz", tmp_path / "d") == expected


def test_one_bad_file_in_a_folder_is_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "folder")
    (folder / "005.png").write_bytes((folder / "005.png").read_bytes()[:40])
    said = line_of(folder, tmp_path / "scratch")
    assert "005.png" in said


def test_samples_of_another_shape_are_refused(digits: Path, tmp_path: Path) -> None:
    small = folder_of(tmp_path / "small", PIXELS[:, :4, :4])
    expected = f"{small} holds grey images of 4x4, the reference grey images of 8x8; data.resize=8 makes them equal"
    assert line_of(small, tmp_path / "a", digits) == expected
    colour = folder_of(tmp_path / "colour", np.repeat(PIXELS[..., None], 3, 3) // np.array([1, 2, 3], np.uint8))
    expected = f"{colour} holds RGB images of 8x8, the reference grey images of 8x8; data.channels=1 makes them equal"
    assert line_of(colour, tmp_path / "b", digits) == expected


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = line_of(tmp_path / "empty", tmp_path / "scratch")
    assert said == f"{tmp_path}/empty: holds no images (no files at all)"
