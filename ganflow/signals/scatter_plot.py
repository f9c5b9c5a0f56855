"""Points where they lie in the plane, as a PNG."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from ganflow.errors import require
from ganflow.signals.image_grid import Images, png

Points = npt.NDArray[np.float32]
Colour = tuple[int, int, int]

PLANE = 480  # pixels per side of a scatter plot
MARGIN = 0.25  # around the centres, as a share of their extent
_WHITE, _CENTRE, _POINT = (255, 255, 255), (240, 160, 60), (30, 60, 140)


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
