"""Pairs come out in step, by name or as halves of one picture; what does not go together is refused before decoding."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset
from ganflow.data.summary import lines
from ganflow.errors import ConfigError
from tests.data.made import encoded, everything, noise, png, refused, source, write_tar, write_tree, write_zip

N = 20


def a(i: int) -> np.ndarray:
    return noise(i, 6, 8)


def b(i: int) -> np.ndarray:
    return noise(1000 + i, 6, 8, 3)


def pairs(form: str = "{side}/{i}", numbers: range = range(N)) -> dict[str, bytes]:
    """A grey in BMP, B in colour in PNG."""
    files = {}
    for i in numbers:
        files[form.format(side="A", i=f"{i:02}") + ".bmp"] = encoded(Image.fromarray(a(i)), "BMP")
        files[form.format(side="B", i=f"{i:02}") + ".png"] = png(b(i))
    return files


def given(root: Path, split: str = "train") -> np.ndarray:
    data = Dataset.open(root, split)
    return data.given(np.arange(len(data)))


def number_of(image: np.ndarray) -> int:
    """The pair that an image (3, H, W) of side B belongs to."""
    return next(i for i in range(2 * N) if np.array_equal(image.transpose(1, 2, 0), b(i)))


def test_images_and_what_is_given_stay_together(tmp_path: Path) -> None:
    report = prepare(source("paired", write_tree(tmp_path / "in", pairs())), tmp_path / "data")
    assert report["facts"] == {"shape": [3, 6, 8], "num_classes": 0, "given": [1, 6, 8]}
    seen = []
    for split, count in (("train", 18), ("test", 2)):
        images = everything(tmp_path / "data", split)
        seen += [number_of(image) for image in images]
        assert len(images) == count
        np.testing.assert_array_equal(given(tmp_path / "data", split)[:, 0], [a(i) for i in seen[-count:]])
    assert sorted(seen) == list(range(N))


def test_the_line_says_what_is_given(tmp_path: Path) -> None:
    got = lines(prepare(source("paired", write_tree(tmp_path / "in", pairs())), tmp_path / "data"))
    assert got[0] == (
        "20 RGB images of 8x6; given: grey images of 8x6; no classes (pairs: A is given, B is to be made); "
        "train 18 (A/ and B/), test 2 (0.1 of the pairs)"
    )


def test_the_other_direction(tmp_path: Path) -> None:
    path = write_tree(tmp_path / "in", pairs())
    prepare(source("paired", path, direction="BtoA", test_share=0.0), tmp_path / "data")
    np.testing.assert_array_equal(everything(tmp_path / "data")[:, 0], [a(i) for i in range(N)])
    np.testing.assert_array_equal(given(tmp_path / "data").transpose(0, 2, 3, 1), [b(i) for i in range(N)])


@pytest.mark.parametrize(
    "form",
    ["{split}/{side}/{i}", "{split}{side}/{i}", "{side}/{split}/{i}", "maps/{split}_{side}/{i}", "{split}{side}/x/{i}"],
)
@pytest.mark.parametrize("write", [write_tree, write_zip, write_tar])
def test_folders_of_splits(form: str, write: Any, tmp_path: Path) -> None:
    halves = {"train": range(12), "test": range(12, N)}
    files = {k: v for split, n in halves.items() for k, v in pairs(form.replace("{split}", split), n).items()}
    report = prepare(source("paired", write(tmp_path / "in.any", files)), tmp_path / "data")
    assert list(report["splits"]) == ["train", "test"]
    for split, numbers in halves.items():
        np.testing.assert_array_equal(given(tmp_path / "data", split)[:, 0], [a(i) for i in numbers])
        assert [number_of(image) for image in everything(tmp_path / "data", split)] == list(numbers)


def test_validation_is_test_where_there_is_no_other_and_left_out_where_there_is(tmp_path: Path) -> None:
    files = {**pairs("train/{side}/{i}", range(5)), **pairs("val/{side}/{i}", range(5, 9))}
    report = prepare(source("paired", write_tree(tmp_path / "in", files)), tmp_path / "data")
    assert report["splits"]["test"]["count"] == 4
    files |= {**pairs("test/{side}/{i}", range(9, 12)), "train/C/1.png": png(b(0))}
    report = prepare(source("paired", write_tree(tmp_path / "in", files)), tmp_path / "data")
    assert report["splits"]["test"]["count"] == 3
    assert report["ignored"] == {"in no folder A or B": 1, "in val": 8}


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
@pytest.mark.parametrize("folder", ["", "train/"])
def test_both_side_by_side(direction: str, folder: str, tmp_path: Path) -> None:
    left = [noise(2000 + i, 6, 8, 3) for i in range(5)]
    files = {f"{folder}{i}.png": png(np.concatenate([left[i], b(i)], axis=1)) for i in range(5)}
    options = {"side_by_side": True, "direction": direction, "test_share": 0.0}
    report = prepare(source("paired", write_tree(tmp_path / "in", files), **options), tmp_path / "data")
    assert report["facts"] == {"shape": [3, 6, 8], "num_classes": 0, "given": [3, 6, 8]}
    assert report["pixels"]["forms"] == {"8-bit RGB": 5}
    a_side, b_side = given(tmp_path / "data"), everything(tmp_path / "data")
    if direction == "BtoA":
        a_side, b_side = b_side, a_side
    np.testing.assert_array_equal(a_side.transpose(0, 2, 3, 1), left)
    np.testing.assert_array_equal(b_side.transpose(0, 2, 3, 1), [b(i) for i in range(5)])


@pytest.mark.parametrize("options", [{"resize": 4, "filter": "box"}, {"crop": True}, {"resize": "6x3", "crop": True}])
def test_crop_and_resize_do_the_same_to_both(options: dict[str, Any], tmp_path: Path) -> None:
    apart = {f"{side}/{i}.png": png(b(i)) for side in "AB" for i in range(4)}
    prepare(source("paired", write_tree(tmp_path / "in", apart), test_share=0.0, **options), tmp_path / "data")
    prepare(
        source(
            "image_folder",
            write_tree(tmp_path / "b", {f"{i}.png": png(b(i)) for i in range(4)}),
            test_share=0.0,
            **options,
        ),
        tmp_path / "alone",
    )
    np.testing.assert_array_equal(given(tmp_path / "data"), everything(tmp_path / "alone"))
    np.testing.assert_array_equal(everything(tmp_path / "data"), everything(tmp_path / "alone"))
    both = {f"{i}.png": png(np.concatenate([b(i), b(i)], axis=1)) for i in range(4)}
    path = write_tree(tmp_path / "both", both)
    prepare(source("paired", path, side_by_side=True, test_share=0.0, **options), tmp_path / "halves")
    np.testing.assert_array_equal(given(tmp_path / "halves"), everything(tmp_path / "alone"))
    np.testing.assert_array_equal(everything(tmp_path / "halves"), everything(tmp_path / "alone"))


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_given_may_be_smaller_by_a_whole_factor(factor: int, tmp_path: Path) -> None:
    files = {f"A/{i}.png": png(noise(i, 5, 4, 3)) for i in range(4)}
    files |= {f"B/{i}.png": png(noise(9 + i, 5 * factor, 4 * factor, 3)) for i in range(4)}
    path = write_tree(tmp_path / "in", files)
    report = prepare(source("paired", path, test_share=0.0), tmp_path / "data")
    assert report["facts"]["given"] == [3, 5, 4]
    np.testing.assert_array_equal(given(tmp_path / "data")[2].transpose(1, 2, 0), noise(2, 5, 4, 3))
    line = refused("paired", path, tmp_path, resize=4)
    assert f"4 pairs are of sizes that do not go together: A/0.png 4x5 and B/0.png {4 * factor}x{5 * factor}, " in line
    assert line.endswith("smaller by a whole factor without data.resize and data.crop")
    assert "B/0.png" in refused("paired", path, tmp_path, direction="BtoA")  # given larger than its image


HALVES = {"side_by_side": True}


def one(side: str = "A", number: int = 3, height: int = 6, width: int = 8) -> dict[str, bytes]:
    return {f"{side}/{number:02}.{'bmp' if side == 'A' else 'png'}": png(noise(0, height, width, 3))}


@pytest.mark.parametrize(
    ("files", "options", "says"),
    [
        ({"A/x.png": b"", "B/y.png": b""}, {}, "2 files have no partner of that name: A/x.png, B/y.png"),
        ({**pairs(), "B/x.png": b""}, {}, "1 file has no partner of that name: B/x.png"),
        ({**pairs(), "A/03.png": b""}, {}, "A/03.bmp and A/03.png have one name, so their partner is not known"),
        ({"x/1.png": b"", "y/1.png": b""}, {}, "holds no pairs to train with: files of one name in A/ and B/"),
        (pairs("test/{side}/{i}"), {}, "holds no pairs to train with"),
        ({}, {}, "holds no images"),
        ({**pairs(), **one(width=9)}, {}, "1 pair is of sizes that do not go together: A/03.bmp 9x6 and B/03.png 8x6;"),
        ({**pairs(), **one(height=4, width=4)}, {}, "1 pair is of sizes that do not go together: A/03.bmp 4x4"),
        ({**pairs(), **one("A", width=7), **one("B", width=7)}, {}, "mixed sizes: B/03.png is 7x6, the first, B/00"),
        ({**pairs(), **one(height=3, width=4)}, {}, "mixed sizes: A/03.bmp is 4x3, the first, A/00.bmp, 8x6; set"),
        ({"1.png": png(noise(0, 6, 7))}, HALVES, "1 picture is of an odd width, so without halves: 1.png"),
        ({"A/1.png": b"", "B/1.png": b"x"}, {}, "none of its 2 images can be read: A/1.png"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_one_line(
    files: dict[str, bytes], options: dict[str, Any], says: str, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    line = refused("paired", write_tree(tmp_path / "in", files), tmp_path, **options)
    assert says in line


def test_sizes_are_refused_before_any_pixel_is_decoded(tmp_path: Path) -> None:
    files = {**pairs(), **one("A", width=7), **one("B", width=7)}
    files["A/00.bmp"] = files["A/00.bmp"][:-20]  # its header is whole
    line = refused("paired", write_tree(tmp_path / "in", files), tmp_path)
    assert "mixed sizes" in line


def test_mixed_sizes_are_one_size_after_a_resize(tmp_path: Path) -> None:
    files = {**pairs(), **one("A", width=7), **one("B", width=7)}
    report = prepare(source("paired", write_tree(tmp_path / "in", files), resize=4), tmp_path / "data")
    assert report["facts"] == {"resolution": 4, "channels": 3, "num_classes": 0, "given": [3, 4, 4]}


@pytest.mark.parametrize("bad", ["A/03.bmp", "B/03.png"])
def test_a_bad_file_of_either_side_is_a_bad_image(bad: str, tmp_path: Path) -> None:
    files = {**pairs(), bad: b"text"}
    path = write_tree(tmp_path / "in", files)
    assert refused("paired", path, tmp_path).startswith(f"1 unreadable image: {bad} (not an image)")
    report = prepare(source("paired", path, on_bad_image="skip", test_share=0.0), tmp_path / "data")
    assert report["skipped"] == [{"file": bad, "why": "not an image"}]
    kept = [i for i in range(N) if i != 3]
    np.testing.assert_array_equal(given(tmp_path / "data")[:, 0], [a(i) for i in kept])
    assert [number_of(image) for image in everything(tmp_path / "data")] == kept


def test_sixteen_bits_are_scaled_alike_on_both_sides(tmp_path: Path) -> None:
    deep = {f"{side}/{i}.png": encoded(Image.fromarray(a(i).astype(np.uint16) * 16)) for side in "AB" for i in range(4)}
    prepare(source("paired", write_tree(tmp_path / "in", deep), test_share=0.0), tmp_path / "data")
    np.testing.assert_array_equal(given(tmp_path / "data"), everything(tmp_path / "data"))
    assert everything(tmp_path / "data").max() > 240  # 12 bits in 16


def test_jpegs_are_pillows(tmp_path: Path) -> None:
    picture = encoded(Image.fromarray(noise(0, 16, 32, 3)), "JPEG")
    path = write_tree(tmp_path / "in", {"1.jpg": picture})
    prepare(source("paired", path, side_by_side=True, test_share=0.0), tmp_path / "data")
    decoded = np.asarray(Image.open(io.BytesIO(picture)))
    np.testing.assert_array_equal(given(tmp_path / "data")[0].transpose(1, 2, 0), decoded[:, :16])


def test_an_unknown_direction_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^data\.direction=back: one of AtoB, BtoA"):
        source("paired", "somewhere", direction="back")
