"""From the bytes of an image file to uint8 pixels.

Shapes: B images, C channels (1 grey, 3 RGB), H, W pixels.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from ganflow.data.decoding.bit_depth import Deep, deep, scale_transparent_grey
from ganflow.data.decoding.formats import MAX_PIXELS, UnreadableImageError, open_image
from ganflow.data.decoding.ranges import Ranges, Scale, Seen
from ganflow.data.prepared.dataset import Images
from ganflow.errors import require
from ganflow.signals.base import Shape

FILTERS = {
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
GREY_MODES = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
FORMS = {"1": "1-bit", "P": "palette", "PA": "palette", "L": "8-bit grey", "LA": "8-bit grey", "La": "8-bit grey"}
FORMS |= {"RGB": "8-bit RGB", "RGBA": "8-bit RGB", "RGBa": "8-bit RGB"}
MODES = {1: "L", 3: "RGB"}  # by channels
Size = tuple[int, int]  # width and height, as Pillow has them
BACKGROUNDS = {"white": 255, "black": 0}
REFUSE = "refuse"
TRANSPARENT, FIRST, TURNED = "transparent", "first of several frames", "turned upright as EXIF says"
EMPTY_MASK = "with a mask that has no pixel above 127"
LOST_MASK = "whose anomalous pixels are lost by data.crop or data.resize"
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ON_THEIR_SIDE = range(5, 9)


@dataclass(frozen=True)
class Header:
    """The facts that an image file states before it is decoded; its sides are those of the upright image."""

    width: int
    height: int
    grey: bool  # by its mode and palette; a colour file whose pixels happen to be grey counts as colour


@dataclass
class Frame:
    """The way from images to images of one size; sources take these as options.

    Without ``crop`` an image of other proportions than ``resize`` is stretched.
    """

    resize: Any = 0  # pixels per side, or WIDTHxHEIGHT; 0: as they are
    crop: bool = False  # cut the centre out first: the largest part with the proportions of resize, a square without
    filter: str = "lanczos"  # lanczos | box | bilinear | bicubic, all antialiased

    def __post_init__(self) -> None:
        self._target = _parse_size(self.resize)
        require(self.filter in FILTERS, "filter", self.filter, f"one of {', '.join(FILTERS)}")

    def shape(self, channels: int, width: int, height: int) -> Shape:
        """The shape (C, H, W) of what :meth:`fitted` returns of an image of this width and height."""
        side = min(width, height)
        width, height = self._target or ((side, side) if self.crop else (width, height))
        return channels, height, width

    def fitted(self, image: Image.Image, nearest: bool = False) -> Image.Image:
        """Crop, then resize, as the options say; ``nearest`` makes no new values, whatever the filter is."""
        if self.crop:
            width, height = _largest_part(image.size, self._target or (1, 1))
            left, top = (image.width - width) // 2, (image.height - height) // 2
            image = image.crop((left, top, left + width, top + height))
        if self._target and image.size != self._target:
            image = image.resize(self._target, Image.Resampling.NEAREST if nearest else FILTERS[self.filter])
        return image


def _parse_size(resize: object) -> Size | None:
    """Width and height; None: as they are."""
    allowed = "pixels per side, WIDTHxHEIGHT such as 48x32, or 0 to leave images as they are"
    if isinstance(resize, str):
        sides = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", resize)
        require(sides is not None, "resize", resize, allowed)
        assert sides is not None
        return int(sides[1]), int(sides[2])
    require(isinstance(resize, int) and not isinstance(resize, bool) and resize >= 0, "resize", resize, allowed)
    assert isinstance(resize, int)
    return (resize, resize) if resize else None


def _largest_part(size: Size, proportions: Size) -> Size:
    """Width and height of the largest part of an image of this size that has these proportions, to a pixel."""
    (width, height), (across, down) = size, proportions
    narrow = width * down <= height * across
    return (width, max(1, width * down // across)) if narrow else (max(1, height * across // down), height)


@dataclass(frozen=True)
class Conversion:
    """The way from pixels of any kind to opaque ones of 8 bits."""

    background: str = "white"  # under transparent pixels, one of BACKGROUNDS or REFUSE
    max_pixels: int = MAX_PIXELS
    ranges: Ranges = field(default_factory=Ranges)


AS_USUAL = Conversion()


@dataclass(frozen=True)
class DecodedPicture:
    """A decoded image, and what it was before."""

    image: Image.Image  # grey or RGB
    form: str  # such as "8-bit RGB"
    notes: list[str]  # of TRANSPARENT, FIRST and TURNED
    seen: dict[Scale, Seen]  # its values, if they had more than 8 bits

    @property
    def pixels(self) -> Images:
        """uint8 (C, H, W)."""
        return to_chw(self.image)


def header(raw: bytes, max_pixels: int = MAX_PIXELS) -> Header:
    """Size and colour of an image file, without decoding its pixels.

    Raises:
        UnreadableImageError: it is not an image, its header is damaged, or it is too large.
    """
    with open_image(raw, max_pixels) as image:
        width, height = image.size[::-1] if _lies_on_its_side(image) else image.size
        return Header(width, height, _is_grey(image))


def decode(raw: bytes, channels: int, frame: Frame, conversion: Conversion = AS_USUAL) -> DecodedPicture:
    """Decode one image file: opaque, of 8 bits, upright by its EXIF orientation; of several frames the first.

    Args:
        raw: the file's bytes.
        channels: 1 for grey (ITU-R 601-2 luma), 3 for RGB.
        frame: crop and resize.
        conversion: ranges, background and the largest size.

    Raises:
        UnreadableImageError: it is not an image, is damaged, truncated or too large, or transparent where that is
            refused.
    """
    with open_image(raw, conversion.max_pixels) as image:
        is_animated = getattr(image, "is_animated", False)  # only formats with frames have it, as Pillow documents
        values = deep(image, raw)
        if values:
            form, transparent, by_scale = values.form, values.transparent, values.seen()
            flat = _scaled(values, conversion)
        else:
            image.load()
            scale_transparent_grey(image, raw)
            form, by_scale = FORMS.get(image.mode, f"8-bit {image.mode}"), dict[Scale, Seen]()
            flat, transparent = flatten(image, conversion)
        if transparent and conversion.background == REFUSE:
            raise UnreadableImageError("transparent; data.background=white or black is what then lies under it")
        turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
        flat = flat if turn is None else flat.transpose(turn)
        mode = MODES[channels]
        flat = frame.fitted(flat if flat.mode == mode else flat.convert(mode))
    notes = {TRANSPARENT: transparent, FIRST: is_animated, TURNED: turn is not None}
    return DecodedPicture(flat, form, [note for note, holds in notes.items() if holds], by_scale)


def to_chw(image: Image.Image) -> Images:
    """A grey or RGB image as uint8 (C, H, W)."""
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def flatten(image: Image.Image, conversion: Conversion) -> tuple[Image.Image, bool]:
    """An image of 8 bits or fewer, composited over the background, and whether it was transparent anywhere."""
    if not image.has_transparency_data:
        return image, False
    rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    under = Image.new("RGBA", image.size, (_background(conversion),) * 3 + (255,))
    return Image.alpha_composite(under, rgba), rgba.getchannel("A").getextrema()[0] != 255


def _scaled(values: Deep, conversion: Conversion) -> Image.Image:
    pixels = values.eight_bits(conversion.ranges, _background(conversion) / 255.0)
    if pixels.shape[2] == 4:
        return Image.fromarray(pixels, "CMYK")
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def _background(conversion: Conversion) -> int:
    return BACKGROUNDS.get(conversion.background, BACKGROUNDS["white"])


def _lies_on_its_side(image: Image.Image) -> bool:
    """By EXIF, which is not looked for after a PNG's pixels; a TIFF's size is that of the upright image."""
    is_stated = image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info)
    return is_stated and image.getexif().get(ExifTags.Base.Orientation, 1) in ON_THEIR_SIDE


def _is_grey(image: Image.Image) -> bool:
    if image.mode in ("P", "PA"):
        palette = np.array(image.getpalette("RGB") or []).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return image.mode in GREY_MODES
