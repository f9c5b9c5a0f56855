"""Inception without its weights: random ones that keep activations sane, the same on every machine and version."""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganflow.evaluation.extractors.inception_v3 import InceptionV3


def uniform(seed: int, *shape: int) -> npt.NDArray[np.float32]:
    """In [−1, 1), from raw bits: NumPy promises that those stay, but not what its distributions make of them."""
    raw = np.random.PCG64(seed).random_raw(math.prod(shape))
    return ((raw >> 40).astype(np.float32) / 2**23 - 1).reshape(shape)


def random_weights() -> dict[str, Tensor]:
    """A state dict: convolutions as He et al. (2015) scale them, running statistics and γ around 1, β around 0."""
    with torch.device("meta"):
        names = InceptionV3().state_dict()
    return {name: _tensor(seed, name, tensor.shape) for seed, (name, tensor) in enumerate(names.items())}


def _tensor(seed: int, name: str, shape: torch.Size) -> Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.tensor(1)
    values = torch.from_numpy(uniform(seed, *shape))
    if len(shape) > 1:
        return values * math.sqrt(6 / math.prod(shape[1:]))
    around = 1.0 if name.endswith(("running_var", "bn.weight")) else 0.0
    return around + values / 4


def random_network() -> InceptionV3:
    network = InceptionV3()
    network.load_state_dict(random_weights())
    return network.eval().requires_grad_(False)


def random_images(count: int, channels: int, resolution: int) -> Tensor:
    """uint8 (N, C, R, R): waves of each image's own length and direction, and noise."""
    shape = (count, channels, resolution, resolution)
    pace = uniform(1, count, channels, 2, 1, 1)
    y, x = np.mgrid[:resolution, :resolution] / resolution
    waves = np.sin(12 * (pace[:, :, 0] * y + pace[:, :, 1] * x))
    return torch.from_numpy((127.5 + 90 * waves + 37 * uniform(2, *shape)).astype(np.uint8))
