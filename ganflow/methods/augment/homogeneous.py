"""Transforms as homogeneous matrices: the host makes them, the device multiplies those whose turn it is."""

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Matrices = npt.NDArray[Any]  # (N, K, D, D), of floats


def padded(matrices: Matrices, count: int, size: int) -> Matrices:
    """So many matrices of that size, the last of which leave everything as it is: (N, count, size, size)."""
    wide = np.tile(np.eye(size), (len(matrices), count, 1, 1))
    wide[:, : matrices.shape[1], : matrices.shape[2], : matrices.shape[3]] = matrices
    return wide


def chosen(matrices: Tensor, on: Tensor) -> Tensor:
    """Matrices (…, D, D), and no transform at all where ``on`` (…) is false."""
    return torch.where(on[..., None, None], matrices, identity(matrices.shape[-1], matrices.dtype, matrices.device))


def product(matrices: Tensor) -> Tensor:
    """The first times the second and so on: (…, K, D, D) → (…, D, D), pairs at a time."""
    while (count := matrices.shape[-3]) > 1:
        left, right = (matrices[..., start : count - count % 2 : 2, :, :] for start in (0, 1))
        # Not by matmul: TF32, where it is allowed, would move pixels.
        joined = (left[..., None] * right[..., None, :, :]).sum(-2)
        matrices = torch.cat([joined, matrices[..., -1:, :, :]], -3) if count % 2 else joined
    return matrices.squeeze(-3)


@functools.cache
def identity(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Only to be read."""
    return torch.eye(size, dtype=dtype, device=device)
