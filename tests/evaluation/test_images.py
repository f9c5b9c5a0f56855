"""Images of any other generator are opened whole or refused in one line."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganflow.data.dataset import Dataset
from ganflow.errors import GanflowError
from ganflow.evaluation.images import as_samples, open_images

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


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (PIXELS / np.float32(127.5) - 1, "images are float32 from -1 to 1; they must be uint8, 0 to 255"),
        (np.full((2, 8, 8, 1), np.nan), "images are float64 with NaN or infinity; they must be uint8, 0 to 255"),
        (PIXELS.astype(np.int64), "images are int64 from 0 to 255; they must be uint8, 0 to 255"),
        (PIXELS[:, :, :7], "images are (12, 8, 7, 1); they must be (N, H, W, C), H = W, C 1 or 3"),
        (PIXELS[:0], "images are (0, 8, 8, 1); they must be (N, H, W, C), H = W, C 1 or 3"),
        (np.repeat(PIXELS[..., None], 4, 3), "images are (12, 8, 8, 4); they must be (N, H, W, C), H = W, C 1 or 3"),
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
    ):
        np.savez(path, images=PIXELS, labels=labels)
        expected = f"{path}: labels are {shape}; they must be 12 whole numbers from 0"
        assert line_of(path, tmp_path / "scratch") == expected


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
    expected = f"{small} holds grey images of 4x4, the reference grey images of 8x8; make them equal first"
    assert line_of(small, tmp_path / "a", digits) == expected
    colour = folder_of(tmp_path / "colour", np.repeat(PIXELS[..., None], 3, 3) // np.array([1, 2, 3], np.uint8))
    expected = f"{colour} holds RGB images of 8x8, the reference grey images of 8x8; make them equal first"
    assert line_of(colour, tmp_path / "b", digits) == expected


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = line_of(tmp_path / "empty", tmp_path / "scratch")
    assert said == f"{tmp_path}/empty: holds no images (no files at all)"
