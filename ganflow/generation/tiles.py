"""A large image in tiles that overlap, for a network that takes any size but has no memory for the whole."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor


def tiled(make: Callable[[Tensor], Tensor], given: Tensor, factor: int, tile: int, margin: int) -> Tensor:
    """Make an image tile by tile.

    It is the image that ``make`` makes of the whole where no pixel depends on one farther away than ``margin``.

    Args:
        make: of what is given (1, C', h, w) the image (1, C, factor·h, factor·w).
        given: (1, C', H, W).
        factor: sides of the image over those of what is given.
        tile: the side of what is kept of each tile, in given pixels.
        margin: pixels around that which are given too, where there are any.

    Returns:
        (1, C, factor·H, factor·W), on the CPU.
    """
    height, width = given.shape[2:]
    rows = []
    for top, bottom in _spans(height, tile):
        row = []
        for left, right in _spans(width, tile):
            up, west = max(0, top - margin), max(0, left - margin)
            part = given[:, :, up : bottom + margin, west : right + margin]
            made = make(part)[:, :, (top - up) * factor :, (left - west) * factor :]
            row.append(made[:, :, : (bottom - top) * factor, : (right - left) * factor].cpu())
        rows.append(torch.cat(row, 3))
    return torch.cat(rows, 2)


def _spans(side: int, tile: int) -> Iterator[tuple[int, int]]:
    return ((first, min(first + tile, side)) for first in range(0, side, tile))
