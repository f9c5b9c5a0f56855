"""The discrete cosine transform of type II (Ahmed et al., 1974), orthonormal."""

import functools
import math

import torch
from torch import Tensor


@functools.cache
def cosines(size: int, device: torch.device) -> Tensor:
    """The transform of vectors as a float32 matrix (size, size), a frequency per row; its inverse is its transpose.

    ``c_u cos(π(2x + 1)u / 2·size)``, c_0 = √(1/size) and else √(2/size). Only to be read.
    """
    place = torch.arange(size, dtype=torch.float64, device="cpu")
    waves = torch.cos(math.pi / (2 * size) * (2 * place + 1) * place[:, None]) * math.sqrt(2 / size)
    waves[0] /= math.sqrt(2)
    return waves.float().to(device)
