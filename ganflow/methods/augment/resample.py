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

from ganflow.methods.augment.affine import Affine, Cell, blend, mirrored, places
from ganflow.methods.augment.wavelets import SYM6


def resample(images: Tensor, inverse: Affine) -> Tensor:
    """Sample images (N, C, H, W) at the places that ``inverse`` names; those that it does not move keep every bit.

    H, W ≥ 2.
    """
    height, width = images.shape[-2:]
    of = images.dtype, images.device
    y, x = (_half_steps(size, images) for size in (height, width))
    columns, rows = places(inverse, x, y, (height, width))
    large = _enlarging(height, *of) @ images @ _enlarging(width, *of).mT
    transformed = blend(large, _periodic_cell(2 * columns, width), _periodic_cell(2 * rows, height))
    reduced = _reducing(height, *of) @ transformed @ _reducing(width, *of).mT
    return torch.where(inverse.moves()[:, None, None, None], reduced, images)


def _half_steps(size: int, like: Tensor) -> Tensor:
    """The places that the filter on the way back reads: every half pixel, from before the first to after the last."""
    return torch.arange(2 * size + 10, dtype=like.dtype, device=like.device) / 2 - 2.5


def _periodic_cell(place: Tensor, size: int) -> Cell:
    inside = place.remainder(4 * (size - 1))
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
