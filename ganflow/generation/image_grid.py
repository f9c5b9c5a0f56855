"""Pictures for people: samples as one PNG, images in a grid and points where they lie."""

import io
import math
from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from ganflow.errors import require

Images = npt.NDArray[np.uint8]

Points = npt.NDArray[np.float32]
Colour = tuple[int, int, int]

LEGIBLE = 48  # pixels; smaller images are enlarged to at least this height
GAP = 2  # pixels between images and around them
GAP_GREY = 32
_MODES = {1: "L", 3: "RGB"}

PLANE = 480  # pixels per side of a scatter plot
MARGIN = 0.25  # around the centres, as a share of their extent
_WHITE, _CENTRE, _POINT = (255, 255, 255), (240, 160, 60), (30, 60, 140)


def picture(
    samples: npt.NDArray[np.uint8 | np.float32],
    centres: Sequence[Sequence[float]] = (),
    columns: int | None = None,
) -> bytes:
    """Samples as the bytes of a PNG: images uint8 (n, H, W, C) as :func:`grid`, points (n, 2) as :func:`scatter`."""
    if samples.ndim == 2:
        return scatter(samples.astype(np.float32, copy=False), centres)
    return grid(samples.astype(np.uint8, copy=False), columns)


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


def scatter(points: Points, centres: Sequence[Sequence[float]] = ()) -> bytes:
    """Points in the plane over the centres of their modes, as the bytes of a PNG; y grows upward.

    The picture shows the surroundings of the centres (of the points, where there are none). Points outside lie on its
    border, so a generator that diverges is seen to do so.

    Args:
        points: (n, 2), finite.
        centres: (K, 2).

    Raises:
        ConfigError: no points, another shape, or values that are not finite.
    """
    fits = points.ndim == 2 and points.shape[1] == 2 and len(points) > 0 and bool(np.isfinite(points).all())
    require(fits, "points", f"{points.dtype}{points.shape}", "must be finite (n, 2), n at least 1")
    shown = np.array(centres if len(centres) else points, np.float64)
    middle = (shown.max(0) + shown.min(0)) / 2
    half = max(float(np.ptp(shown, axis=0).max()), 1e-6) * (0.5 + MARGIN)
    canvas = np.full((PLANE, PLANE, 3), _WHITE, np.uint8)
    for places, radius, colour in ((np.array(centres).reshape(-1, 2), 4, _CENTRE), (points, 1, _POINT)):
        at = np.clip((places - middle) / half, -1, 1) * [1, -1]
        _mark(canvas, np.rint((at + 1) / 2 * (PLANE - 1)).astype(int), radius, colour)
    return png(canvas)


def _mark(canvas: Images, places: npt.NDArray[np.int_], radius: int, colour: Colour) -> None:
    """Squares around (n, 2) pixels given as column and row."""
    for offset in product(range(-radius, radius + 1), repeat=2):
        column, row = np.clip(places + np.array(offset), 0, PLANE - 1).T
        canvas[row, column] = colour


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
