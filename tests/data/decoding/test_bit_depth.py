"""Pixels of more than 8 bits come out as their values say, whatever file holds them."""

import io

import numpy as np
import pytest
from PIL import Image

from ganflow.data.decoding.decode import TRANSPARENT, Conversion, DecodedPicture, Frame, decode
from ganflow.data.decoding.formats import UnreadableImageError
from ganflow.data.decoding.ranges import ALPHA, FLOATS, INTEGERS, SIGNED, Ranges, Scale, Seen
from tests.data.made import encoded
from tests.data.written import ASSOCIATED, CMYK, GREY, RGB, UNASSOCIATED, png_file, tiff_file


def values(seed: int, channels: int = 1, high: int = 65536) -> np.ndarray:
    """uint16 (6, 8, C), with both ends in."""
    drawn = np.random.default_rng(seed).integers(0, high, (6, 8, channels)).astype(np.uint16)
    drawn[0, 0], drawn[0, 1] = 0, high - 1
    return drawn


def read(raw: bytes, channels: int = 1, option: object = "auto", background: str = "white") -> DecodedPicture:
    return decode(raw, channels, Frame(), Conversion(background, ranges=Ranges(option)))


def hwc(picture: DecodedPicture) -> np.ndarray:
    return picture.pixels.transpose(1, 2, 0)


def scaled(pixels: np.ndarray, white: float = 65535.0, black: float = 0.0) -> np.ndarray:
    return np.rint(np.clip((pixels.astype(np.float64) - black) / (white - black), 0, 1) * 255)


@pytest.mark.parametrize("raw", [png_file(values(0), 0), encoded(Image.fromarray(values(0)[..., 0]))])
def test_a_grey_png_of_16_bits(raw: bytes) -> None:
    picture = read(raw)
    np.testing.assert_array_equal(hwc(picture), scaled(values(0)))
    assert (picture.form, picture.notes) == ("16-bit grey", [])
    assert picture.seen == {Scale(INTEGERS): Seen(1, 0, 65535, 65535)}


def test_a_colour_png_of_16_bits_keeps_its_low_bytes() -> None:
    picture = read(png_file(values(1, 3), 2), 3)
    np.testing.assert_array_equal(hwc(picture), scaled(values(1, 3)))
    assert picture.form == "16-bit RGB"


def test_twelve_bits_in_a_colour_png_fill_the_range_that_is_named() -> None:
    pixels = values(2, 3, high=4096)
    np.testing.assert_array_equal(hwc(read(png_file(pixels, 2), 3, 4095)), scaled(pixels, 4095))


@pytest.mark.parametrize(("colour_type", "channels"), [(4, 1), (6, 3)])
def test_alpha_of_16_bits_lies_over_the_background(colour_type: int, channels: int) -> None:
    colour, alpha = values(3, channels), values(4)
    raw = png_file(np.concatenate([colour, alpha], axis=2), colour_type)
    for background, under in (("white", 1.0), ("black", 0.0)):
        picture = read(raw, channels, background=background)
        share = alpha / 65535.0
        np.testing.assert_array_equal(hwc(picture), np.rint((colour / 65535.0 * share + under * (1 - share)) * 255))
        assert picture.notes == [TRANSPARENT]


def test_alpha_is_not_taken_into_the_range_of_the_colours() -> None:
    colour = values(5, 3, high=4096)
    raw = png_file(np.concatenate([colour, np.full((6, 8, 1), 65535)], axis=2), 6)
    picture = read(raw, 3, 4095)
    np.testing.assert_array_equal(hwc(picture), scaled(colour, 4095))
    assert picture.notes == []
    assert picture.seen[Scale(INTEGERS)].high == 4095
    assert picture.seen[Scale(ALPHA)].low == 65535


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3)])
def test_a_colour_that_is_transparent_in_a_png_of_16_bits(colour_type: int, channels: int) -> None:
    pixels = values(6, channels)
    pixels[2, 3] = 7
    pixels[2, 4] = 7 + 256 * 0 + 1  # the same upper byte
    raw = png_file(pixels, colour_type, tRNS=np.full(channels, 7, ">u2").tobytes())
    expected = scaled(pixels)
    expected[(pixels == 7).all(-1)] = 255
    np.testing.assert_array_equal(hwc(read(raw, channels)), expected)


def test_sbit_is_told_with_the_values() -> None:
    raw = png_file(values(7, 1, 4096), 0, sBIT=b"\x0c")
    assert read(raw).seen == {Scale(INTEGERS, significant=12): Seen(1, 0, 4095, 4095)}
    raw = png_file(values(7, 3, 4096), 2, sBIT=b"\x0b\x0c\x0b")
    assert next(iter(read(raw, 3).seen)).significant == 12


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("packed", [False, True])
class TestTiff:
    def test_grey(self, order: str, packed: bool) -> None:
        raw = tiff_file(values(8), order=order, packed=packed)
        np.testing.assert_array_equal(hwc(read(raw)), scaled(values(8)))

    def test_rgb_keeps_its_low_bytes(self, order: str, packed: bool) -> None:
        pixels = values(9, 3, 4096)
        picture = read(tiff_file(pixels, RGB, order=order, packed=packed), 3, 4095)
        np.testing.assert_array_equal(hwc(picture), scaled(pixels, 4095))
        assert picture.form == "16-bit RGB"

    def test_rgb_with_alpha(self, order: str, packed: bool) -> None:
        colour, share = values(10, 3), values(11) / 65535.0
        straight = np.concatenate([colour, values(11)], axis=2)
        premultiplied = np.concatenate([np.rint(colour * share), values(11)], axis=2).astype(np.uint16)
        expected = np.rint((colour / 65535.0 * share + 1 - share) * 255)
        raw = tiff_file(straight, RGB, order=order, packed=packed, extra=UNASSOCIATED)
        np.testing.assert_array_equal(hwc(read(raw, 3)), expected)
        raw = tiff_file(premultiplied, RGB, order=order, packed=packed, extra=ASSOCIATED)
        np.testing.assert_allclose(hwc(read(raw, 3)), expected, atol=1)

    def test_cmyk_is_ink(self, order: str, packed: bool) -> None:
        pixels = values(12, 4)
        got = hwc(read(tiff_file(pixels, CMYK, order=order, packed=packed), 3))
        inks = scaled(pixels).astype(np.uint8)
        np.testing.assert_array_equal(got, np.asarray(Image.fromarray(inks, "CMYK").convert("RGB")))

    def test_signed(self, order: str, packed: bool) -> None:
        pixels = (values(13).astype(np.int32) - 32768).astype(np.int16)
        picture = read(tiff_file(pixels, order=order, packed=packed), 1, [-1000, 400])
        np.testing.assert_array_equal(hwc(picture), scaled(pixels, 400, -1000))
        assert picture.form == "16-bit signed grey"
        assert (picture.seen[Scale(SIGNED)].low, picture.seen[Scale(SIGNED)].high) == (-32768, 32767)

    def test_32_bit_signed(self, order: str, packed: bool) -> None:
        pixels = (values(14).astype(np.int32) - 32768) * 30000
        picture = read(tiff_file(pixels, order=order, packed=packed), 1, [-(10**9), 10**9])
        np.testing.assert_array_equal(hwc(picture), scaled(pixels, 10**9, -(10**9)))

    def test_floats(self, order: str, packed: bool) -> None:
        pixels = (values(15) / 65535.0).astype(np.float32)
        picture = read(tiff_file(pixels, order=order, packed=packed))
        np.testing.assert_allclose(hwc(picture), scaled(pixels, 1.0), atol=1e-9)
        assert picture.seen == {Scale(FLOATS): Seen(1, 0.0, 1.0)}

    def test_an_image_that_lies_on_its_side(self, order: str, packed: bool) -> None:
        for pixels, photometric in ((values(16), GREY), (values(16, 3), RGB)):
            raw = tiff_file(pixels, photometric, order=order, packed=packed, orientation=6)
            np.testing.assert_array_equal(hwc(read(raw, pixels.shape[2])), np.rot90(scaled(pixels), -1))

    def test_eight_bits_with_a_sign(self, order: str, packed: bool) -> None:
        pixels = (np.arange(48).reshape(6, 8, 1) - 24).astype(np.int8)
        picture = read(tiff_file(pixels, order=order, packed=packed), 1, [-24, 23])
        np.testing.assert_array_equal(hwc(picture), scaled(pixels, 23, -24))


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_whose_channels_lie_apart(order: str) -> None:
    pixels = values(17, 3, 4096)
    raw = tiff_file(pixels, RGB, order=order, planar=True)
    np.testing.assert_array_equal(hwc(read(raw, 3, 4095)), scaled(pixels, 4095))
    with pytest.raises(UnreadableImageError, match="a compressed TIFF of 16 bits whose channels lie apart"):
        read(tiff_file(pixels, RGB, order=order, planar=True, packed=True), 3)


@pytest.mark.parametrize("pixels", [values(18), (values(18) / 65535.0).astype(np.float32)])
def test_a_tiff_in_which_0_is_white(pixels: np.ndarray) -> None:
    white = 65535.0 if pixels.dtype.kind == "u" else 1.0
    np.testing.assert_array_equal(hwc(read(tiff_file(pixels, 0))), 255 - scaled(pixels, white))


def test_a_tiff_of_12_bits_says_so_itself() -> None:
    pixels = values(19, 1, 4096)
    picture = read(tiff_file(pixels, bits=12))
    np.testing.assert_array_equal(hwc(picture), scaled(pixels, 4095))
    assert picture.form == "12-bit grey"


def test_unsigned_integers_of_32_bits_are_not_taken_as_negative() -> None:
    pixels = values(20).astype(np.uint32) * 65537
    picture = read(tiff_file(pixels), 1, 2**32 - 1)
    np.testing.assert_array_equal(hwc(picture), scaled(pixels, 2**32 - 1))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    pixels = np.full((2, 2, 1), bad, np.float32)
    with pytest.raises(UnreadableImageError, match="values that are not finite"):
        read(tiff_file(pixels))


@pytest.mark.parametrize(
    "raw",
    [
        tiff_file(values(0).astype(np.float64)),
        tiff_file(values(0, 3).astype(np.float32), RGB),
        tiff_file(values(0, 2), extra=UNASSOCIATED),
        tiff_file(values(0).astype(np.uint32), order=">"),
    ],
    ids=["64-bit floats", "floats in three channels", "16-bit grey and alpha", "Motorola's unsigned 32 bits"],
)
def test_a_tiff_that_pillow_cannot_read_is_not_called_no_image(raw: bytes) -> None:
    with pytest.raises(UnreadableImageError) as caught:
        read(raw)
    assert str(caught.value) == "a TIFF that is damaged, or of a rare kind that Pillow cannot read"


@pytest.mark.parametrize("most", [1023, 4095, 65535])
def test_a_pgm_says_its_brightest_value(most: int) -> None:
    pixels = values(21, 1, most + 1)
    raw = f"P5 8 6 {most}\n".encode() + pixels.astype(">u2").tobytes()
    np.testing.assert_allclose(hwc(read(raw)), scaled(pixels, most), atol=1)
    np.testing.assert_allclose(hwc(read(raw, option=77)), scaled(pixels, most), atol=1)


def test_a_pfm_holds_floats() -> None:
    pixels = (values(22) / 65535.0).astype("<f4")
    raw = b"Pf\n8 6\n-1.0\n" + pixels[::-1].tobytes()
    np.testing.assert_allclose(hwc(read(raw)), scaled(pixels, 1.0), atol=1)


def test_a_jpeg_2000_of_16_bits() -> None:
    raw = encoded(Image.fromarray(values(23)[..., 0]), "JPEG2000")
    np.testing.assert_array_equal(hwc(read(raw)), scaled(values(23)))


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_grey_png_of_few_bits_and_its_transparent_value(depth: int) -> None:
    most = 2**depth - 1
    pixels = np.random.default_rng(24).integers(0, most + 1, (6, 8, 1))
    np.testing.assert_array_equal(hwc(read(png_file(pixels, 0, depth))), scaled(pixels, most))
    expected = scaled(pixels, most)
    expected[pixels == 0], raw = 255, png_file(pixels, 0, depth, tRNS=b"\0\0")
    np.testing.assert_array_equal(hwc(read(raw)), expected)
    expected, raw = scaled(pixels, most), png_file(pixels, 0, depth, tRNS=bytes([0, most]))
    expected[pixels == most] = 0
    np.testing.assert_array_equal(hwc(read(raw, background="black")), expected)


def test_a_file_is_read_without_its_loader_being_left_changed() -> None:
    raw = png_file(values(25, 3), 2)
    read(raw, 3)
    with Image.open(io.BytesIO(raw)) as image:
        np.testing.assert_array_equal(np.asarray(image), values(25, 3) >> 8)
