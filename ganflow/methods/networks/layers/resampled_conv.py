"""A 3×3 convolution joined with the doubling before it, or with the halving after it, as one convolution of 4×4.

Both are exact, and take 4/9 of the multiplications: pixels that doubling has repeated share their products, and what
halving averages is summed before it is multiplied. Weights and biases are those of the 3×3 convolution.

Shapes: maps (N, C, H, W).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, conv_transpose2d, pad


class DoublingConv2d(nn.Conv2d):
    """Every pixel repeated in both directions, then a convolution of 3×3: to sides of 2H and 2W."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        kernel = 4 * _mean_of_neighbours(self.weight.flip(2, 3)).transpose(0, 1)
        return conv_transpose2d(x, kernel, self.bias, stride=2, padding=1)


class HalvingConv2d(nn.Conv2d):
    """A convolution of 3×3, then the mean of every 2×2 pixels: to sides of H/2 and W/2."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, _mean_of_neighbours(self.weight), self.bias, stride=2, padding=1)


def _mean_of_neighbours(weight: Tensor) -> Tensor:
    """Kernels (…, 3, 3) moved by none or one pixel in both directions, and averaged: (…, 4, 4)."""
    mean = avg_pool2d(pad(weight, (1, 1, 1, 1)), 2, stride=1)
    is_image = weight.dim() == 4 and weight.is_contiguous(memory_format=torch.channels_last)
    return mean.contiguous(memory_format=torch.channels_last) if is_image else mean
