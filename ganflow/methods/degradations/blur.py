"""Gaussian blur, as an optical system out of focus has it roughly."""

import math

import torch.nn.functional as F
from torch import Tensor

from ganflow.config.components import component
from ganflow.distributed.rng import RandomStream
from ganflow.errors import require
from ganflow.methods.degradations.base import Degradation
from ganflow.signals.base import Shape

TRUNCATE = 4.0  # deviations at which the kernel ends, as scipy.ndimage has it


@component("degradation", "blur")
class Blur(Degradation):
    """Blur by a Gaussian of a standard deviation ``sigma``, in pixels; images are mirrored at their edges."""

    def __init__(self, sigma: float = 1.5) -> None:
        require(0 < sigma <= 1000, "sigma", sigma, "more than 0, at most 1000 pixels")
        self.sigma = sigma
        self.radius = int(TRUNCATE * sigma + 0.5)
        bell = [math.exp(-0.5 * (k / sigma) ** 2) for k in range(-self.radius, self.radius + 1)]
        self.weights = [weight / sum(bell) for weight in bell]

    def shape(self, shape: Shape) -> Shape:
        _, height, width = shape
        least = self.radius + 1  # so far the edges can be mirrored
        hint = f"asks for sides of at least {least} pixels, and images are {width}x{height}; give a smaller sigma"
        require(min(height, width) >= least, "sigma", self.sigma, hint)
        return shape

    def __call__(self, images: Tensor, draw: RandomStream) -> Tensor:
        padded = F.pad(images, [self.radius] * 4, mode="reflect")
        return self._along(3, self._along(2, padded))

    def _along(self, dim: int, padded: Tensor) -> Tensor:
        """Tap by tap: a convolution's sums depend on the size of the batch."""
        size = padded.shape[dim] - 2 * self.radius
        blurred = padded.narrow(dim, 0, size) * self.weights[0]
        for k, weight in enumerate(self.weights[1:], start=1):
            blurred = blurred + padded.narrow(dim, k, size) * weight
        return blurred

    def simple(self, given: Tensor) -> Tensor:
        return given
