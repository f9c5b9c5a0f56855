"""Every mode that an image file can have comes out as the pixels that a viewer shows."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from ganflow.data.decoding import decode as module
from ganflow.data.decoding.decode import FILTERS, Conversion, Frame, header
from ganflow.data.decoding.formats import UnreadableImageError
from ganflow.data.prepared.dataset import Images
from ganflow.errors import ConfigError
from tests.data.made import encoded, noise

AS_IT_IS = Frame()
GREY = noise(0, 5, 7)
RGB = noise(1, 5, 7, 3)
ALPHA = noise(2, 5, 7)


def decode(raw: bytes, channels: int, frame: Frame) -> Images:
    return module.decode(raw, channels, frame).pixels


def over_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None] / 255.0 if colour.ndim == 3 else alpha / 255.0
    return colour * share + 255.0 * (1.0 - share)


def chw(pixels: np.ndarray) -> np.ndarray:
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def luma(rgb: np.ndarray) -> np.ndarray:
    return rgb @ np.array([0.299, 0.587, 0.114])


def test_grey() -> None:
    raw = encoded(Image.fromarray(GREY))
    np.testing.assert_array_equal(decode(raw, 1, AS_IT_IS), GREY[None])
    np.testing.assert_array_equal(decode(raw, 3, AS_IT_IS), np.stack([GREY] * 3))


def test_colour_and_its_luma() -> None:
    raw = encoded(Image.fromarray(RGB))
    np.testing.assert_array_equal(decode(raw, 3, AS_IT_IS), chw(RGB))
    np.testing.assert_allclose(decode(raw, 1, AS_IT_IS)[0], luma(RGB), atol=1)


def test_alpha_lies_over_white() -> None:
    raw = encoded(Image.fromarray(np.dstack([RGB, ALPHA])))
    np.testing.assert_allclose(decode(raw, 3, AS_IT_IS), chw(over_white(RGB, ALPHA)), atol=1)


def test_grey_with_alpha_lies_over_white() -> None:
    raw = encoded(Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(ALPHA)]))
    np.testing.assert_allclose(decode(raw, 1, AS_IT_IS)[0], over_white(GREY, ALPHA), atol=1)


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_a_palette_gives_its_colours(form: str) -> None:
    indices, palette = noise(3, 5, 7) % 4, noise(4, 4, 3)
    image = Image.fromarray(indices)
    image.putpalette(palette.tobytes())
    np.testing.assert_array_equal(decode(encoded(image, form), 3, AS_IT_IS), chw(palette[indices]))


def test_a_transparent_palette_entry_is_white() -> None:
    indices, palette = noise(3, 5, 7) % 4, noise(4, 4, 3)
    image = Image.fromarray(indices)
    image.putpalette(palette.tobytes())
    expected = palette.copy()
    expected[2] = 255
    np.testing.assert_array_equal(decode(encoded(image, transparency=2), 3, AS_IT_IS), chw(expected[indices]))


def test_one_bit() -> None:
    bits = noise(5, 5, 7) > 127
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(bits)), 1, AS_IT_IS)[0], bits * np.uint8(255))


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled_and_not_cut(form: str) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (5, 7)).astype(np.uint16)
    values[0, :2] = 0, 65535
    raw = encoded(Image.fromarray(values), form)
    got = decode(raw, 1, AS_IT_IS)[0]
    np.testing.assert_array_equal(got, np.rint(values / 257.0))
    assert header(raw).grey


def test_thirty_two_bit_integers_within_sixteen_bits_are_scaled() -> None:
    values = np.array([[0, 257, 65535]], dtype=np.int32)
    assert decode(encoded(Image.fromarray(values), "TIFF"), 1, AS_IT_IS)[0].tolist() == [[0, 1, 255]]


@pytest.mark.parametrize("form", ["TIFF", "JPEG"])
def test_cmyk_is_ink(form: str) -> None:
    inks = [(0, 0, 0, 0), (255, 255, 0, 0), (0, 0, 0, 255), (0, 255, 255, 0)]
    seen = [(255, 255, 255), (0, 0, 255), (0, 0, 0), (255, 0, 0)]
    for ink, colour in zip(inks, seen, strict=True):
        got = decode(encoded(Image.new("CMYK", (8, 8), ink), form), 3, AS_IT_IS)
        np.testing.assert_allclose(got[:, 4, 4], colour, atol=6)


# Where row 0 and column 0 of the stored pixels lie in the upright image, from the EXIF 2.32 standard.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.T,
    6: lambda a: a.T[:, ::-1],
    7: lambda a: a.T[::-1, ::-1],
    8: lambda a: a.T[::-1],
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_rotation_is_undone(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    raw = encoded(Image.fromarray(GREY), "PNG", exif=exif)
    np.testing.assert_array_equal(decode(raw, 1, AS_IT_IS)[0], UPRIGHT[orientation](GREY))


def test_lab_gives_its_colours() -> None:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(Image.fromarray(RGB), to_lab)
    assert lab is not None
    np.testing.assert_allclose(decode(encoded(lab, "TIFF"), 3, AS_IT_IS), chw(RGB), atol=24)  # 8-bit Lab is coarse


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "empty file"),
        (b"not an image at all", "not an image"),
        (encoded(Image.fromarray(RGB))[:60], "truncated|broken|Truncated"),
        (encoded(Image.fromarray(noise(0, 64, 64, 3)), "JPEG")[:-500], "truncated"),
    ],
)
def test_a_damaged_file_says_why_in_one_line(raw: bytes, why: str) -> None:
    with pytest.raises(UnreadableImageError, match=why) as caught:
        decode(raw, 3, AS_IT_IS)
    assert "\n" not in str(caught.value)
    assert "0x" not in str(caught.value)


@given(at=st.integers(0, 400), flip=st.integers(1, 255))
def test_a_damaged_byte_is_an_image_or_unreadable_and_nothing_else(at: int, flip: int) -> None:
    raw = bytearray(encoded(Image.fromarray(noise(6, 9, 9, 3)), "JPEG"))
    raw[at % len(raw)] ^= flip
    with contextlib.suppress(UnreadableImageError):
        assert decode(bytes(raw), 3, Frame(resize=4)).shape == (3, 4, 4)


def test_the_centre_is_cut_out() -> None:
    got = decode(encoded(Image.fromarray(noise(7, 4, 9))), 1, Frame(crop=True))
    np.testing.assert_array_equal(got[0], noise(7, 4, 9)[:, 2:6])


@pytest.mark.parametrize(
    ("frame", "of", "shape"),
    [
        (Frame(), (4, 9), (4, 9)),
        (Frame(crop=True), (4, 9), (4, 4)),
        (Frame(resize=8), (4, 9), (8, 8)),
        (Frame(resize="6x3"), (4, 9), (3, 6)),
        (Frame(resize="6x3", crop=True), (40, 90), (3, 6)),
    ],
)
def test_the_shape_is_known_before(frame: Frame, of: tuple[int, int], shape: tuple[int, int]) -> None:
    height, width = of
    assert frame.shape(1, width, height) == (1, *shape)
    assert decode(encoded(Image.fromarray(noise(7, *of))), 1, frame).shape == (1, *shape)


WIDE, TALL = (slice(None), slice(4, 16)), (slice(8, 11), slice(None))


@pytest.mark.parametrize(("of", "part"), [((6, 20), WIDE), ((20, 6), TALL)])
def test_the_largest_part_of_the_wanted_proportions_is_cut_out(of: tuple[int, int], part: tuple[slice, slice]) -> None:
    pixels = noise(7, *of)
    got = decode(encoded(Image.fromarray(pixels)), 1, Frame(resize="8x4", crop=True, filter="box"))
    expected = Image.fromarray(pixels[part]).resize((8, 4), Image.Resampling.BOX)
    np.testing.assert_array_equal(got[0], np.asarray(expected))


def test_resizing_by_box_is_the_mean_so_it_is_antialiased() -> None:
    pixels = noise(8, 32, 32)
    got = decode(encoded(Image.fromarray(pixels)), 1, Frame(resize=8, filter="box"))
    np.testing.assert_allclose(got[0], pixels.reshape(8, 4, 8, 4).mean((1, 3)), atol=1)


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_keeps_a_flat_image_flat(name: str) -> None:
    raw = encoded(Image.new("RGB", (13, 13), (10, 200, 90)))
    got = decode(raw, 3, Frame(resize=8, filter=name))
    assert (got == np.array([10, 200, 90]).reshape(3, 1, 1)).all()


WRONG = [*(("resize", size) for size in (-1, "48", "0x8", True, 2.5)), ("filter", "nearest")]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_an_impossible_option_is_named(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{key}={value}"):
        Frame(**{key: value})


def test_the_header_tells_size_and_colour_without_pixels() -> None:
    colour = encoded(Image.fromarray(noise(9, 64, 48, 3)))
    got = header(colour[:100])  # cut right after it began
    assert (got.width, got.height, got.grey) == (48, 64, False)
    assert header(encoded(Image.fromarray(GREY))).grey
    assert header(encoded(Image.merge("LA", [Image.fromarray(GREY)] * 2))).grey
    grey_palette = Image.fromarray(GREY % 4)
    grey_palette.putpalette(np.repeat(np.arange(4), 3).tolist())
    assert header(encoded(grey_palette)).grey


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_header_s_sides_are_those_of_the_upright_image(format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    raw = encoded(Image.fromarray(noise(9, 6, 8, 3)), format, exif=exif)
    got = header(raw)
    assert (3, got.height, got.width) == decode(raw, 3, AS_IT_IS).shape


def test_more_pixels_than_the_option_allows_is_unreadable_and_pillow_says_nothing(
    recwarn: pytest.WarningsRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = encoded(Image.new("L", (100, 100)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for look in (lambda n: header(raw, n), lambda n: module.decode(raw, 1, AS_IT_IS, Conversion(max_pixels=n))):
        with pytest.raises(UnreadableImageError) as caught:
            look(9999)
        assert str(caught.value) == "100x100 are 10,000 pixels, more than data.max_pixels=9999 allows"
        look(10000)
    assert not recwarn.list
    assert Image.MAX_IMAGE_PIXELS == 1000
