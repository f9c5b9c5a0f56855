"""Structural dissimilarity as a loss (Wang et al., 2004; Zhao et al., 2017, section III-B)."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.content_losses.base import ContentLoss
from ganflow.methods.regularizers.base import GeneratorTurn

K1, K2, RANGE = 0.01, 0.03, 2.0  # of values in [-1, 1]


@component("content_loss", "ssim")
class Structural(ContentLoss):
    """``λ · (1 − SSIM)``, a Gaussian window of ``window`` pixels and deviation 1.5, fewer where images are smaller."""

    def __init__(self, weight: float = 1.0, window: int = 11) -> None:
        super().__init__(weight)
        require(window > 1 and window % 2 == 1, "window", window, "an odd number of pixels, 3 or more")
        self.window = window

    def forward(self, turn: GeneratorTurn) -> Tensor:
        smallest = min(turn.real.shape[2:])
        return 1 - ssim(turn.fake, turn.real, min(self.window, smallest - 1 + smallest % 2)).mean()


def ssim(a: Tensor, b: Tensor, window: int) -> Tensor:
    """Structural similarity at every place where the window fits: (N, C, H', W')."""
    place = torch.arange(window, device=a.device, dtype=a.dtype) - window // 2
    bell = torch.exp(-(place**2) / (2 * 1.5**2))
    kernel = torch.outer(bell, bell) / bell.sum() ** 2

    def mean(x: Tensor) -> Tensor:
        channels = x.shape[1]
        return conv2d(x, kernel.expand(channels, 1, window, window), groups=channels)

    mean_a, mean_b = mean(a), mean(b)
    variances = mean(a * a) - mean_a**2 + mean(b * b) - mean_b**2
    covariance = mean(a * b) - mean_a * mean_b
    c1, c2 = (K1 * RANGE) ** 2, (K2 * RANGE) ** 2
    light = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return light * (2 * covariance + c2) / (variances + c2)
