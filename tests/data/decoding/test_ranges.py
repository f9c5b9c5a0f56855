"""One range for all images of a set: what was seen, what was assumed, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganflow.data.prepare import prepare
from ganflow.errors import ConfigError
from tests.data.made import encoded, everything, noise, png, refused, source, write_tree
from tests.data.written import RGB, png_file, tiff_file

COUNT = 6


def deep(bits: int, seed: int = 0) -> np.ndarray:
    """uint16 (COUNT, 6, 6, 1) below 2 ** bits; the brightest value is in one image only."""
    pixels = np.random.default_rng(seed).integers(0, 2 ** (bits - 1), (COUNT, 6, 6, 1)).astype(np.uint16)
    pixels[3, 2, 2] = 2**bits - 1
    return pixels


def prepared(files: dict[str, bytes], tmp_path: Path, **options: Any) -> tuple[np.ndarray, dict[str, Any]]:
    """Pixels uint8 (N, C, H, W) by the names of their files, and the report."""
    path = write_tree(tmp_path / "in", files)
    report = prepare(source("image_folder", path, test_share=0.0, **options), tmp_path / "data")
    return everything(tmp_path / "data"), report


def named(raws: list[bytes], suffix: str = "png") -> dict[str, bytes]:
    return {f"{i}.{suffix}": raw for i, raw in enumerate(raws)}


def scaled(pixels: np.ndarray, white: float, black: float = 0.0) -> np.ndarray:
    share = np.clip((pixels.astype(np.float64) - black) / (white - black), 0, 1)
    return np.rint(share * 255).transpose(0, 3, 1, 2)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_bits_in_sixteen_are_told_by_the_brightest_value_of_the_set(bits: int, tmp_path: Path) -> None:
    pixels = deep(bits)
    got, report = prepared(named([encoded(Image.fromarray(p[..., 0])) for p in pixels]), tmp_path)
    np.testing.assert_array_equal(got, scaled(pixels, 2**bits - 1))
    taken = {"values": "integers", "images": COUNT, "low": float(pixels.min()), "high": 2.0**bits - 1}
    assert report["pixels"]["ranges"] == [{**taken, "black": 0.0, "white": 2.0**bits - 1, "by": "assumed"}]
    assert report["pixels"]["forms"] == {"16-bit grey": COUNT}


@pytest.mark.parametrize(("bits", "ends"), [(9, 1023), (11, 4095), (13, 16383), (15, 65535)])
def test_other_numbers_of_bits_are_taken_as_the_next_customary_one(bits: int, ends: int, tmp_path: Path) -> None:
    got, _ = prepared(named([png_file(p, 0) for p in deep(bits)]), tmp_path)
    np.testing.assert_array_equal(got, scaled(deep(bits), ends))


def test_sbit_says_how_many_bits(tmp_path: Path) -> None:
    pixels = deep(11)
    got, report = prepared(named([png_file(p, 0, sBIT=b"\x0b") for p in pixels]), tmp_path)
    np.testing.assert_array_equal(got, scaled(pixels, 2047))
    assert report["pixels"]["ranges"][0]["by"] == "sBIT 11"


def test_samples_that_are_scaled_up_as_png_asks_keep_their_range(tmp_path: Path) -> None:
    pixels = deep(12) << 4
    got, report = prepared(named([png_file(p, 0, sBIT=b"\x0c") for p in pixels]), tmp_path)
    np.testing.assert_array_equal(got, scaled(pixels, 65535))
    assert report["pixels"]["ranges"][0]["white"] == 65535


def test_dark_samples_of_sixteen_bits_that_sbit_vouches_for_stay_dark(tmp_path: Path) -> None:
    got, _ = prepared(named([png_file(p, 0, sBIT=b"\x10") for p in deep(12)]), tmp_path)
    np.testing.assert_array_equal(got, scaled(deep(12), 65535))


def test_colours_and_tiffs_have_the_range_of_their_set_too(tmp_path: Path) -> None:
    pixels = np.concatenate([deep(12, seed) for seed in range(3)], axis=3)
    files = named([png_file(p, 2) for p in pixels[:3]]) | {
        f"{i}.tif": tiff_file(p, RGB, packed=bool(i % 2)) for i, p in enumerate(pixels[3:], 3)
    }
    got, _ = prepared(files, tmp_path)
    np.testing.assert_array_equal(got, scaled(pixels, 4095))


def test_the_option_is_the_range_and_what_lies_outside_is_cut(tmp_path: Path) -> None:
    pixels = (deep(12).astype(np.int32) - 1024).astype(np.int16)
    got, report = prepared(named([tiff_file(p) for p in pixels], "tif"), tmp_path, range=[-1000, 400])
    np.testing.assert_array_equal(got, scaled(pixels, 400, -1000))
    taken = report["pixels"]["ranges"][0]
    assert (taken["low"], taken["high"], taken["by"]) == (float(pixels.min()), 3071.0, "data.range")
    assert report["source"]["range"] == [-1000, 400]


def test_signed_integers_that_are_none_are_read_as_others(tmp_path: Path) -> None:
    pixels = deep(15).astype(np.int16)
    got, _ = prepared(named([tiff_file(p) for p in pixels], "tif"), tmp_path)
    np.testing.assert_array_equal(got, scaled(pixels, 32767))


def test_floats_from_0_to_1(tmp_path: Path) -> None:
    pixels = (deep(16) / 65535.0).astype(np.float32)
    got, report = prepared(named([tiff_file(p) for p in pixels], "tif"), tmp_path)
    np.testing.assert_array_equal(got, scaled(pixels, 1.0))
    assert report["pixels"]["ranges"][0]["by"] == "assumed"


WAY_OUT = "data.range=[BLACK,WHITE] says which values become 0 and 255"


@pytest.mark.parametrize(
    ("pixels", "why"),
    [
        (deep(8).astype(np.float32), "floats from 0 to 255 have no agreed range"),
        (deep(8).astype(np.float32) / -255, "floats from -1 to 0 have no agreed range"),
        (deep(12).astype(np.int16) - 1024, "signed integers from -1,024 to 3,071 have no agreed range"),
        (deep(16).astype(np.uint32) * 2, "integers from 0 to 131,070 have no agreed range"),
    ],
)
def test_values_without_an_agreed_range_are_refused(pixels: np.ndarray, why: str, tmp_path: Path) -> None:
    pixels[0, 0, 0] = 0 if pixels.dtype.kind != "i" else -1024
    path = write_tree(tmp_path / "in", named([tiff_file(p) for p in pixels], "tif"))
    assert refused("image_folder", path, tmp_path) == f"data.range=auto: {why}; {WAY_OUT}"


def test_one_option_for_integers_and_floats_is_refused(tmp_path: Path) -> None:
    files = {"0.tif": tiff_file(deep(12)[0]), "1.tif": tiff_file(deep(12)[0].astype(np.float32))}
    path = write_tree(tmp_path / "in", files)
    line = "data.range=4095: the images have floats and integers, which share no range"
    assert refused("image_folder", path, tmp_path, range=4095) == line


def test_eight_bits_beside_sixteen_are_told(tmp_path: Path) -> None:
    files = {"0.png": png(noise(0, 6, 6)), "1.png": png_file(deep(12)[3], 0)}
    got, report = prepared(files, tmp_path)
    np.testing.assert_array_equal(got[0, 0], noise(0, 6, 6))
    np.testing.assert_array_equal(got[1:], scaled(deep(12)[3:4], 4095))
    line = "bit depths are mixed: 8-bit grey, 16-bit grey; 8 bits are taken as they are"
    assert [warning for warning in report["warnings"] if "mixed" in warning] == [line]


def test_an_option_that_changed_nothing_is_told(tmp_path: Path) -> None:
    _, report = prepared({"0.png": png(noise(0, 6, 6))}, tmp_path, range=4095)
    assert "data.range=4095 changed nothing: no image has more than 8 bits of unknown range" in report["warnings"]


@pytest.mark.parametrize("option", ["full", [1], [3, 3], [1, 2, 3], True, -5, [0, float("inf")], None, "12"])
def test_an_impossible_range_is_refused(option: object) -> None:
    with pytest.raises(ConfigError) as caught:
        source("image_folder", "somewhere", range=option)
    assert str(caught.value).startswith(f"data.range={option}: ")
    assert str(caught.value).endswith("auto, WHITE such as 4095, or [BLACK,WHITE] such as [-1000,400]")


def test_transparency_that_is_refused_names_the_file(tmp_path: Path) -> None:
    opaque = np.dstack([noise(0, 6, 6, 3), np.full((6, 6), 255, np.uint8)])
    files = {"0.png": png(opaque), "1.png": png(noise(1, 6, 6, 4))}
    line = refused("image_folder", write_tree(tmp_path / "in", files), tmp_path, background="refuse")
    why = "1.png (transparent; data.background=white or black is what then lies under it)"
    assert line == f"1 unreadable image: {why}; data.on_bad_image=skip leaves them out"
    got, report = prepared(files, tmp_path, background="black")
    np.testing.assert_allclose(
        got[1], (noise(1, 6, 6, 4)[..., :3] * (noise(1, 6, 6, 4)[..., 3:] / 255)).transpose(2, 0, 1), atol=1
    )
    assert report["pixels"]["notes"] == {"transparent": 1}


@pytest.mark.parametrize("form", ["GIF", "PNG", "TIFF", "WEBP"])
def test_of_several_frames_the_first_is_taken_and_that_is_told(form: str, tmp_path: Path) -> None:
    frames = [Image.new("L", (6, 6), grey).convert("RGB") for grey in (200, 30, 90)]
    raw = encoded(
        frames[0], form, save_all=True, append_images=frames[1:], **({"lossless": True} if form == "WEBP" else {})
    )
    files = {f"0.{form.lower()}": raw, "1.png": png(noise(0, 6, 6, 3))}
    got, report = prepared(files, tmp_path)
    np.testing.assert_allclose(got[0], 200, atol=1)
    assert report["pixels"]["notes"] == {"first of several frames": 1}
