"""Points in the plane: float32 (2, 1, 1), as they are, so that everything after takes them as it takes images."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ganflow.signals.base import Samples, Shape, Signal
from ganflow.signals.scatter_plot import scatter

if TYPE_CHECKING:
    from torch import Tensor


class Points(Signal):
    """Coordinates without bounds; one alone says nothing."""

    name = "points"
    family = "points"
    dtype = np.dtype(np.float32)
    array = "points"
    bounded = False
    alone = False
    shown = 2500
    plural = "points"
    with_torch = with_numpy = "points = made[:, :, 0, 0]"

    def ready(self, stored: "Tensor") -> "Tensor":
        return stored

    def stored(self, made: "Tensor") -> "Tensor":
        return made

    def mirrored(self, ready: "Tensor") -> "Tensor":
        """A point has no sides."""
        return ready

    def row(self, shape: Shape) -> Shape:
        """(2,)."""
        return shape[:1]

    def rows(self, stored: "Tensor") -> Samples:
        rows: Samples = stored.flatten(1).cpu().numpy()
        return rows

    def preview(self, rows: Samples, columns: int | None = None, centres: Sequence[Sequence[float]] = ()) -> bytes:
        """A plot, over the centres."""
        return scatter(rows.astype(np.float32, copy=False), centres)

    def size(self, shape: Shape) -> str:
        return "points"

    def says(self, shape: Shape) -> str:
        return "points in the plane"

    def output(self, shape: Shape) -> str:
        return "points, float32 (N, 2, 1, 1)"
