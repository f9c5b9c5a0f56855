"""From the bytes of an image file to uint8 pixels.

Shapes: B images, C channels (1 grey, 3 RGB), H, W pixels.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ganflow.data.dataset import Images
from ganflow.errors import ConfigError, require

FILTERS = {
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
GREY_MODES = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")


class UnreadableImageError(Exception):
    """An image that cannot be decoded; its text says why in a few words."""


@dataclass(frozen=True)
class Header:
    """What an image file says about itself before it is decoded."""

    width: int
    height: int
    grey: bool  # by its mode and palette; a colour file whose pixels happen to be grey counts as colour


@dataclass
class Frame:
    """How images become squares of one size; sources take these as options.

    Without ``crop`` a resized image that is not square is stretched.
    """

    resize: int = 0  # pixels per side; 0: as they are
    crop: bool = False  # cut the centre square out first
    filter: str = "lanczos"  # lanczos | box | bilinear | bicubic, all antialiased

    def __post_init__(self) -> None:
        require(self.resize >= 0, "resize", self.resize, "pixels per side, or 0 to leave images as they are")
        require(self.filter in FILTERS, "filter", self.filter, f"one of {', '.join(FILTERS)}")

    def side(self, width: int, height: int, name: str) -> int:
        """Pixels per side of what :meth:`square` returns.

        Raises:
            ConfigError: the image called ``name`` is no square and nothing is set that makes it one.
        """
        if self.resize:
            return self.resize
        if width != height and not self.crop:
            way_out = f"{name} is {width}x{height}, not square; data.crop=true cuts the centre out, data.resize scales"
            raise ConfigError("data.crop", "false", way_out)
        return min(width, height)

    def square(self, image: Image.Image) -> Image.Image:
        """Crop, then resize, as the options say."""
        if self.crop:
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            image = image.crop((left, top, left + side, top + side))
        if self.resize and image.size != (self.resize, self.resize):
            image = image.resize((self.resize, self.resize), FILTERS[self.filter])
        return image


def header(raw: bytes) -> Header:
    """Size and colour of an image file, without decoding its pixels.

    Raises:
        UnreadableImageError: it is no image, or its header is damaged.
    """
    try:
        with Image.open(io.BytesIO(raw)) as image:
            return Header(image.width, image.height, _is_grey(image))
    except MemoryError:
        raise
    except Exception as error:  # on damaged files Pillow's plugins raise nearly anything
        raise UnreadableImageError(_reason(raw, error)) from None


def decode(raw: bytes, channels: int, frame: Frame) -> Images:
    """Decode one image file: upright by its EXIF orientation, alpha composited over white, 16 bits scaled to 8.

    Args:
        raw: the file's bytes.
        channels: 1 for grey (ITU-R 601-2 luma), 3 for RGB.
        frame: crop and resize.

    Returns:
        uint8 (C, H, W); H and W differ only if the frame leaves them as they are.

    Raises:
        UnreadableImageError: it is no image, is damaged or truncated, or has pixels without an agreed range.
    """
    try:
        with Image.open(io.BytesIO(raw)) as image:
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            flat = frame.square(flatten(image, channels))
    except MemoryError:
        raise
    except Exception as error:  # on damaged files Pillow's plugins raise nearly anything
        raise UnreadableImageError(_reason(raw, error)) from None
    return to_chw(flat)


def to_chw(image: Image.Image) -> Images:
    """A grey or RGB image as uint8 (C, H, W)."""
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def flatten(image: Image.Image, channels: int) -> Image.Image:
    """Any mode to 8-bit ``L`` (1 channel) or ``RGB`` (3 channels); alpha is composited over white.

    Raises:
        ValueError: floating-point pixels, or integers beyond 16 bits: nobody knows which value is white.
    """
    if image.mode == "F":
        raise ValueError("floating-point pixels have no agreed range")
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    mode = "L" if channels == 1 else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _eight_bits(image: Image.Image) -> Image.Image:
    values: NDArray[Any] = np.asarray(image).astype(np.int64)
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise ValueError("integer pixels beyond 16 bits have no agreed range")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))  # 65535 = 255 · 257


def _is_grey(image: Image.Image) -> bool:
    if image.mode in ("P", "PA"):
        palette = np.array(image.getpalette("RGB") or []).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return image.mode in GREY_MODES


def _reason(raw: bytes, error: Exception) -> str:
    if not raw:
        return "empty file"
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    return " ".join(str(error).split()) or type(error).__name__
