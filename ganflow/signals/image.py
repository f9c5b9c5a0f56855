"""Images of any height and width, grey or in colour: uint8 (C, H, W)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ganflow.signals.base import Samples, Shape, Signal
from ganflow.signals.image_grid import grid

if TYPE_CHECKING:
    from torch import Tensor

COLOURS = {1: "grey", 3: "RGB"}  # by channels


class Image(Signal):
    """Pixels, black to white; networks have them between -1 and 1."""

    name = "image"
    family: ClassVar[str] = "image"
    dtype = np.dtype(np.uint8)
    array = "images"
    task = "unconditional-image-generation"
    plural = "images"
    with_torch = "pixels = (made * 127.5 + 128).clamp(0, 255).to(torch.uint8)"
    with_numpy = "pixels = np.clip(made * 127.5 + 128, 0, 255).astype(np.uint8)"

    def ready(self, stored: "Tensor") -> "Tensor":
        return stored.float().div_(127.5).sub_(1.0)

    def stored(self, made: "Tensor") -> "Tensor":
        """By the field's rule for FID: 127.5·x + 128, clamped, truncated."""
        return (made.float() * 127.5 + 128).clamp(0, 255).byte()

    def mirrored(self, ready: "Tensor") -> "Tensor":
        """Left and right are exchanged."""
        return ready.flip(3)

    def row(self, shape: Shape) -> Shape:
        """(H, W, C)."""
        return (*shape[1:], shape[0])

    def rows(self, stored: "Tensor") -> Samples:
        rows: Samples = stored.permute(0, 2, 3, 1).cpu().contiguous().numpy()
        return rows

    def preview(self, rows: Samples, columns: int | None = None, centres: Sequence[Sequence[float]] = ()) -> bytes:
        """A grid."""
        return grid(rows.astype(np.uint8, copy=False), columns)

    def size(self, shape: Shape) -> str:
        channels, height, width = shape
        return f"{width}x{height}x{channels}"

    def says(self, shape: Shape) -> str:
        channels, height, width = shape
        return f"{COLOURS.get(channels, f'{channels}-channel')} images of {width}x{height}"

    def output(self, shape: Shape) -> str:
        sides = ", ".join(map(str, shape))
        pixel = "A pixel is 127.5·x + 128, clamped to 0 … 255 and truncated to uint8"
        return f"images, float32 (N, {sides}), -1 black to 1 white. {pixel}"
