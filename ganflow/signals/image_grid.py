"""Images beside each other in one PNG."""

import io
import math

import numpy as np
import numpy.typing as npt

from ganflow.errors import require

Images = npt.NDArray[np.uint8]

LEGIBLE = 48  # pixels; smaller images are enlarged to at least this height
GAP = 2  # pixels between images and around them
GAP_GREY = 32
_MODES = {1: "L", 3: "RGB"}


def grid(images: Images, columns: int | None = None, scale: int | None = None) -> bytes:
    """Images beside each other, row by row, as the bytes of a PNG; the same images give the same bytes.

    Args:
        images: uint8 (n, H, W, C), C being 1 or 3.
        columns: images per row; none: as square as n allows.
        scale: whole factor of a nearest-neighbour enlargement; none: until a person sees an 8 by 8 digit.

    Raises:
        ConfigError: no images, another shape or type, or a factor below 1.
    """
    return png(tiles(images, columns, scale))


def tiles(images: Images, columns: int | None = None, scale: int | None = None) -> Images:
    """The pixels of :func:`grid`, which several grids may share: uint8 (H', W', C)."""
    _check(images)
    count, height, width, channels = images.shape
    columns = min(count, math.ceil(math.sqrt(count))) if columns is None else columns
    scale = max(1, math.ceil(LEGIBLE / height)) if scale is None else scale
    require(columns > 0, "columns", columns, "must be at least 1")
    require(scale > 0, "scale", scale, "must be at least 1")
    rows = -(-count // columns)
    cell_h, cell_w = height * scale + GAP, width * scale + GAP
    canvas = np.full((rows * cell_h + GAP, columns * cell_w + GAP, channels), GAP_GREY, np.uint8)
    for i, image in enumerate(images):
        top, left = i // columns * cell_h + GAP, i % columns * cell_w + GAP
        large = image.repeat(scale, axis=0).repeat(scale, axis=1)
        canvas[top : top + height * scale, left : left + width * scale] = large
    return canvas


def png(image: Images) -> bytes:
    """One image, uint8 (H, W, C), as the bytes of a PNG."""
    from PIL import Image

    _check(image[None])
    stream = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image, _MODES[image.shape[-1]]).save(stream, "PNG")
    return stream.getvalue()


def _check(images: Images) -> None:
    fits = images.dtype == np.uint8 and images.ndim == 4 and images.shape[-1] in _MODES and images.size > 0
    require(fits, "images", f"{images.dtype}{images.shape}", "must be uint8 (n, H, W, C), n at least 1, C 1 or 3")
