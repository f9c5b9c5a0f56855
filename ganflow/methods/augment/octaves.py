"""Octaves of the spectrum made louder or quieter (Karras et al., 2020, "Training GANs with limited data", B)."""

import functools

import torch
from torch import Tensor

from ganflow.methods.augment.affine import mirrored
from ganflow.methods.augment.wavelets import octaves

POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)  # that is expected of an image in each octave, the lowest first


def equalise(images: Tensor, factors: Tensor) -> Tensor:
    """Multiply the octaves of images (N, C, H, W) by factors (N, 4), along rows and along columns.

    Each factor also makes all octaves quieter by as much as keeps the expected power:
    ``g_j = t_j / Π_i √(1 + λ_i·(t_i² − 1))``. Images whose factors are 1 keep every bit. H, W ≥ 2.
    """
    power = _powers(images.dtype, images.device)
    gains = factors / (1 + power * (factors.square() - 1)).sqrt().prod(1, keepdim=True)
    down, across = (_filters(gains, size)[:, None] for size in images.shape[-2:])
    return torch.where((factors != 1).any(1)[:, None, None, None], down @ images @ across.mT, images)


def _filters(gains: Tensor, size: int) -> Tensor:
    """The filter of every image as a matrix (N, size, size), which mirrors at the edges."""
    bands = _bands(gains.dtype, gains.device)
    reach = bands.shape[1] // 2
    offsets = torch.arange(-reach, reach + 1, device=gains.device)
    sources = mirrored(torch.arange(size, device=gains.device)[:, None] + offsets, size)
    weights = gains @ bands
    empty = gains.new_zeros(len(gains), size, size)
    return empty.scatter_add(2, sources.expand(len(gains), -1, -1), weights[:, None].expand(-1, size, -1))


@functools.cache
def _bands(dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.from_numpy(octaves(len(POWER))).to(device, dtype)


@functools.cache
def _powers(dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(POWER, dtype=dtype, device=device)
