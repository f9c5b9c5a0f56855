"""Pixels of more than 8 bits, read with all their bits.

Pillow keeps the upper byte of 16-bit colours, and reads some TIFFs wrongly without a word. Shapes: H, W pixels,
C channels.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from ganflow.data.decoding.formats import open_image
from ganflow.data.decoding.ranges import ALPHA, FLOATS, INTEGERS, SIGNED, Ranges, Scale, Seen, extremes


@dataclass(frozen=True)
class Deep:
    """The pixels of one image, unscaled."""

    colour: NDArray[np.number]  # (H, W, C): 1 grey, 3 RGB, 4 CMYK
    scale: Scale
    bits: int  # of a value in the file
    alpha: NDArray[np.number] | None = None  # (H, W), integers
    premultiplied: bool = False
    inverted: bool = False  # 0 is white

    @property
    def form(self) -> str:
        """Bits, kind and colours, such as "16-bit RGB"."""
        kind = {SIGNED: "signed ", FLOATS: "float "}.get(self.scale.kind, "")
        return f"{self.bits}-bit {kind}{ {1: 'grey', 3: 'RGB', 4: 'CMYK'}[self.colour.shape[2]] }"

    @property
    def transparent(self) -> bool:
        """True where a pixel is not opaque, by the largest alpha of the image."""
        return self.alpha is not None and bool(self.alpha.min() < self.alpha.max() or not self.alpha.any())

    def seen(self) -> dict[Scale, Seen]:
        """The extremes of what there is.

        Raises:
            ValueError: values that are not finite.
        """
        if not np.isfinite(self.colour).all():
            raise ValueError("values that are not finite")
        by_scale = {self.scale: extremes(self.colour)}
        return by_scale if self.alpha is None else by_scale | {Scale(ALPHA): extremes(self.alpha)}

    def eight_bits(self, ranges: Ranges, background: float) -> NDArray[np.uint8]:
        """Scaled to 0..255, over a background from 0 to 1: uint8 (H, W, C)."""
        share = ranges.scaled(self.colour, self.scale)
        if self.inverted:
            share = 1.0 - share
        if self.alpha is not None:
            alpha = ranges.scaled(self.alpha, Scale(ALPHA))[..., None]
            share = (share if self.premultiplied else share * alpha) + background * (1.0 - alpha)
        return np.rint(np.clip(share, 0.0, 1.0) * 255.0).astype(np.uint8)


def deep(image: ImageFile, raw: bytes) -> Deep | None:
    """An image's pixels if they have more than 8 bits, else None; an image that is opened, not loaded."""
    if image.format == "PNG":
        return _png(image, raw) if raw[24] == 16 else None
    if isinstance(image, TiffImageFile):
        return _tiff(image, raw)
    if image.mode == "F" or image.mode.startswith("I"):
        if image.mode == "F":
            return Deep(_values(image), Scale(FLOATS), 32)
        return Deep(_values(image), Scale(INTEGERS, 65535), 16)  # as PGM and JPEG 2000 say, and Pillow scales
    return None


def _values(image: ImageFile) -> NDArray[Any]:
    """Grey pixels (H, W, 1): int64, or float32."""
    values = np.asarray(image)
    return np.expand_dims(values if values.dtype.kind == "f" else values.astype(np.int64), -1)


def _png(image: ImageFile, raw: bytes) -> Deep:
    scale = Scale(INTEGERS, significant=_sbit(raw))
    key = image.info.get("transparency")  # one colour of all is transparent
    if image.mode == "I;16":
        colour = _values(image)
        return Deep(colour, scale, 16, None if key is None else _opaque(colour, key))
    if raw[25] == 4:  # grey and alpha, which Pillow makes RGBA of: four bytes of one pixel
        parts = np.asarray(_with_rawmode(image, lambda _: "RGBA")).view(">u2").astype(np.int64)
        return Deep(parts[..., :1], scale, 16, parts[..., 1])
    parts = _both_bytes(image, raw, "BL")
    if parts.shape[2] == 4:
        return Deep(parts[..., :3], scale, 16, parts[..., 3])
    return Deep(parts, scale, 16, None if key is None else _opaque(parts, key))


def scale_transparent_grey(image: ImageFile, raw: bytes) -> None:
    """Put right the transparent value of a grey PNG of 2 or 4 bits, whose pixels alone Pillow scales to 8."""
    if image.format == "PNG" and image.mode == "L" and raw[24] < 8 and "transparency" in image.info:
        image.info["transparency"] *= 255 // (2 ** raw[24] - 1)


def _opaque(colour: NDArray[np.number], key: object) -> NDArray[np.int64]:
    return np.where((colour == np.asarray(key)).all(-1), 0, 65535)


def _sbit(raw: bytes) -> int:
    """The most significant bits that PNG's sBIT names, 0 without one."""
    at = 8
    while (kind := raw[at + 4 : at + 8]) not in (b"IDAT", b""):
        size = int.from_bytes(raw[at : at + 4])
        if kind == b"sBIT":
            return max(raw[at + 8 : at + 8 + size][: 1 if raw[25] in (0, 4) else 3], default=0)
        at += 12 + size
    return 0


_BITS, _PHOTOMETRIC, _EXTRA, _PLANAR, _FORMAT = 258, 262, 338, 284, 339  # TIFF's tags


def _tiff(image: TiffImageFile, raw: bytes) -> Deep | None:
    tags = image.tag_v2
    bits, form = tags.get(_BITS, (1,))[0], tags.get(_FORMAT, (1,))[0]
    inverted = tags.get(_PHOTOMETRIC) == 0
    if bits == 16 and image.mode in ("RGB", "RGBA", "CMYK"):
        parts = _tiff_colours(image, raw, tags)
        colours = 4 if image.mode == "CMYK" else 3
        extra = tags.get(_EXTRA, (0,))[0]
        return Deep(
            parts[..., :colours], Scale(INTEGERS), 16, parts[..., 3] if image.mode == "RGBA" else None, extra == 1
        )
    if image.mode == "L" and form == 2:
        return Deep(np.asarray(image).view(np.int8).astype(np.int64)[..., None], Scale(SIGNED), 8)
    if image.mode == "F" or image.mode.startswith("I"):
        values = _values(_in_native_order(image))
        if form == 1 and bits == 32:
            values %= 2**32  # Pillow's integers are signed
        kind = {"F": FLOATS}.get(image.mode, SIGNED if form == 2 else INTEGERS)
        return Deep(values, Scale(kind, 2**bits - 1 if bits < 16 else 0), bits, inverted=inverted)
    return None


def _tiff_colours(image: ImageFile, raw: bytes, tags: ImageFileDirectory_v2) -> NDArray[np.int64]:
    planar, packed = tags.get(_PLANAR, 1) == 2, image.tile[0].codec_name == "libtiff"
    if planar and packed:
        raise ValueError("a compressed TIFF of 16 bits whose channels lie apart, which Pillow cannot read")
    little = sys.byteorder == "little" if packed else tags.prefix == b"II"
    return _both_bytes(image, raw, "LB" if little else "BL")


def _in_native_order(image: ImageFile) -> ImageFile:
    """A grey TIFF whose packed strips Pillow reads in the order of this machine, as libtiff gives them."""
    if image.tile[0].codec_name != "libtiff":
        return image
    native = {"I;16BS": "I;16NS", "I;16S": "I;16NS", "I;32BS": "I;32NS", "I;32S": "I;32NS"}
    native |= {"F;32BF": "F;32NF", "F;32F": "F;32NF", "F;64BF": "F;64NF", "F;64F": "F;64NF"}
    return _with_rawmode(image, lambda mode: native.get(mode, mode))


def _both_bytes(image: ImageFile, raw: bytes, orders: str) -> NDArray[np.int64]:
    """int64 (H, W, C) of 16-bit colours.

    Pillow's unpackers of 16 bits keep the first byte ("B") or the second ("L") of every channel.

    Args:
        image: opened, not loaded.
        raw: the file, which is read a second time.
        orders: the letters that give the upper and the lower byte.
    """
    upper = np.asarray(_with_order(image, orders[0]), dtype=np.int64)
    with open_image(raw, image.width * image.height) as again:
        lower = np.asarray(_with_order(again, orders[1]), dtype=np.int64)
    return upper * 256 + lower


def _with_order(image: ImageFile, order: str) -> ImageFile:
    # Premultiplied colours ("RGBa") stay so, as no unpacker of single bytes can divide by alpha.
    return _with_rawmode(image, lambda mode: f"{mode.partition(';')[0].replace('a', 'A')};16{order}")


def _with_rawmode(image: ImageFile, change: Callable[[str], str]) -> ImageFile:
    """The image, told how its bytes lie: a tile's rawmode is the first of its arguments, or the only one."""
    tiles = []
    for tile in image.tile:
        args: Any = tile.args
        tiles.append(tile._replace(args=change(args) if isinstance(args, str) else (change(args[0]), *args[1:])))
    image.tile = tiles
    return image
