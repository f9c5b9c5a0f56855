"""Layers with an equalised learning rate (Karras et al., 2018): weights start at N(0, 1), ``ŵ = w / √fan_in`` is used.

Adam's steps do not depend on a gradient's size, so every layer then moves by the same share of its own spread.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganflow.methods.networks.layers.spectral_norm import normalise_spectrally

GAIN = math.sqrt(2)  # of a layer before LeakyReLU 0.2, so that the second moment stays about what it was


def leaky_relu(x: Tensor) -> Tensor:
    """LeakyReLU 0.2. What comes before it has the gain, which is the same, and one pass less over the map."""
    return F.leaky_relu(x, 0.2)


class ScaledLayer(nn.Module):
    """A layer that computes with its parameters times constants, by their names in ``factors``."""

    factors: dict[str, float]
    holds_scaled = False  # in the place of its parameters stand their products, for now

    def scaled(self, name: str) -> Tensor:
        """A parameter as the layer computes with it."""
        parameter: Tensor = getattr(self, name)
        return parameter if self.holds_scaled or self.factors[name] == 1 else parameter * self.factors[name]


class EqualLinear(ScaledLayer):
    """(N, before) → (N, after), times ``gain``. ``rate`` multiplies this layer's learning rate; it starts the same."""

    def __init__(self, before: int, after: int, bias: float = 0.0, rate: float = 1.0, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before) / rate)
        self.bias = nn.Parameter(torch.full((after,), bias / rate))
        self.gain, self.factors = gain, {"weight": gain * rate / math.sqrt(before), "bias": gain * rate}

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.scaled("weight"), self.scaled("bias"))


class EqualConv2d(ScaledLayer):
    """(N, before, H, W) → (N, after, H, W), times ``gain``; or with ``stride`` 2 to about half the side, unpadded."""

    def __init__(
        self, before: int, after: int, kernel: int, stride: int = 1, bias: bool = True, gain: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(after)) if bias else None
        self.gain, self.factors = gain, {"weight": gain / math.sqrt(before * kernel**2), "bias": gain}
        self.stride, self.padding = stride, kernel // 2 if stride == 1 else 0

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.scaled("bias")
        return F.conv2d(x, self.scaled("weight"), bias, self.stride, self.padding)


def normalise_equalised(network: nn.Module) -> None:
    """Spectral normalisation in place of equalised learning rates: a weight used is then ``w / σ(w)``."""
    for layer in network.modules():
        if isinstance(layer, EqualLinear | EqualConv2d):
            layer.factors["weight"] = layer.gain
    normalise_spectrally(network, (EqualLinear, EqualConv2d))
