"""Affine warps that keep fine detail and do not alias (Karras et al., 2020, "Training GANs with limited data", B).

An image is enlarged twofold by an orthogonal wavelet's low-pass filter, seen there through the map (bilinear), and
brought back by the same filter reversed. Beyond its edges it is mirrored, which makes it periodic: the enlarged
image is one period, so that no padding depends on where the maps of a batch lead. The authors' code mirrors once;
farther than a side beyond an edge, it has black.

All of it is linear in the images, with derivatives of every order. Both filters are matrices, because convolutions of
one channel are slow. Enlarged pixel k lies at pixel k/2 of the image, by the filter's own delay.
"""

import functools
import math

import torch
from torch import Tensor

from ganflow.methods.augment.affine import Cell, blend, mirrored, moves, places, sizes
from ganflow.methods.augment.wavelets import SYM6


def resample(images: Tensor, inverse: Tensor) -> Tensor:
    """Sample images (N, C, H, W) at the places that maps (N, 3, 3) name; those that are not moved keep every bit.

    H, W ≥ 2.
    """
    height, width = images.shape[-2:]
    of = images.dtype, images.device
    (y, x), centre = _half_steps(height, width, *of)
    large = _enlarging(height, *of) @ images @ _enlarging(width, *of).mT
    onto_large = torch.add(centre, inverse[:, :2], alpha=2)
    transformed = blend(large, _periodic_cell(places(onto_large, x, y), height, width))
    reduced = _reducing(height, *of) @ transformed @ _reducing(width, *of).mT
    return torch.where(moves(inverse)[:, None, None, None], reduced, images)


@functools.cache
def _half_steps(
    height: int, width: int, dtype: torch.dtype, device: torch.device
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """The rows and columns from the centre on that the filter on the way back reads: every half pixel, from before the
    first to after the last; and what is to be added to twice a map (2, 3) to count enlarged pixels from 0.
    """
    rows, columns = (torch.arange(2 * size + 10, dtype=dtype) / 2 - 2.5 - (size - 1) / 2 for size in (height, width))
    centre = torch.zeros(2, 3, dtype=dtype)
    centre[:, 2] = torch.tensor([width - 1, height - 1])
    return (rows.to(device), columns.to(device)), centre.to(device)


def _periodic_cell(place: Tensor, height: int, width: int) -> Cell:
    inside = place.remainder(sizes(4 * (width - 1), 4 * (height - 1), place.dtype, place.device))
    pixel = inside.floor()
    return Cell(pixel.long(), inside - pixel)


@functools.cache
def _enlarging(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(4·size − 2, size): from pixels to a period of enlarged ones, and two more that begin the next."""
    weights = torch.zeros(4 * size - 2, size, dtype=torch.float64)
    for tap, weight in enumerate(SYM6):
        large = torch.arange((tap + 1) % 2, len(weights), 2)
        pixel = mirrored((large + 5 - tap) // 2, size)
        weights.index_put_((large, pixel), torch.tensor(math.sqrt(2) * weight, dtype=torch.float64), accumulate=True)
    return weights.to(device, dtype)


@functools.cache
def _reducing(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(size, 2·size + 10): back from what is seen at half steps."""
    weights, pixel = torch.zeros(size, 2 * size + 10, dtype=torch.float64), torch.arange(size)
    for tap, weight in enumerate(SYM6):
        weights[pixel, 2 * pixel + tap] = weight / math.sqrt(2)
    return weights.to(device, dtype)
