"""Layers with an equalised learning rate (Karras et al., 2018): weights start at N(0, 1), ``ŵ = w / √fan_in`` is used.

Adam's steps do not depend on a gradient's size, so every layer then moves by the same share of its own spread.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganflow.methods.networks.layers.spectral_norm import normalise_spectrally


def leaky_relu(x: Tensor) -> Tensor:
    """LeakyReLU 0.2, times √2 so that the second moment stays about what it was."""
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


class EqualLinear(nn.Module):
    """(N, before) → (N, after). ``rate`` multiplies this layer's learning rate; what it computes starts the same."""

    def __init__(self, before: int, after: int, bias: float = 0.0, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before) / rate)
        self.bias = nn.Parameter(torch.full((after,), bias / rate))
        self.scale, self.rate = rate / math.sqrt(before), rate

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias if self.rate == 1 else self.bias * self.rate)


class EqualConv2d(nn.Module):
    """(N, before, H, W) → (N, after, H, W), or without padding and to about half the side with ``stride`` 2."""

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(after)) if bias else None
        self.scale = 1 / math.sqrt(before * kernel**2)
        self.stride, self.padding = stride, kernel // 2 if stride == 1 else 0

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, self.stride, self.padding)


def normalise_equalised(network: nn.Module) -> None:
    """Spectral normalisation in place of equalised learning rates: a weight used is then ``w / σ(w)``."""
    for layer in network.modules():
        if isinstance(layer, EqualLinear | EqualConv2d):
            layer.scale = 1.0
    normalise_spectrally(network, (EqualLinear, EqualConv2d))
