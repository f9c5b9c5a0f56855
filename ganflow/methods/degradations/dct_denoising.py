"""Denoising by thresholds on the cosines of patches (Yu & Sapiro, 2011, "DCT image denoising", IPOL)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ganflow.methods.degradations.dct import cosines
from ganflow.methods.degradations.matrix_along import along

SIDES = (8, 4, 2, 1)  # of patches: the first one that fits into the images
THRESHOLD = 3.0  # in deviations of the noise
AT_ONCE = 1 << 24  # coefficients in memory: 64 MiB


def denoised(images: Tensor, sigma: float) -> Tensor:
    """Images (N, C, H, W) without most of their white noise of a standard deviation ``sigma``, in [-1, 1].

    Channels become those of a cosine transform along them, in which those of photographs are hardly correlated. Then
    every patch of 8x8, one at each pixel, loses the coefficients below 3·sigma, but for its mean, and patches that
    overlap are averaged.
    """
    height, width = images.shape[-2:]
    side = next(side for side in SIDES if side <= min(height, width))
    colours = cosines(images.shape[1], images.device)
    planes = along(1, colours, images).flatten(0, 1)[:, None]
    parts = planes.split(max(1, AT_ONCE // (side * side * height * width)))
    restored = torch.cat([_without_small(part, side, THRESHOLD * sigma) for part in parts])
    return along(1, colours.T, restored.view_as(images)).clamp(-1, 1)


def _without_small(planes: Tensor, side: int, threshold: float) -> Tensor:
    """Planes (N, 1, H, W), the small coefficients of their patches left out."""
    waves = cosines(side, planes.device)
    patches = (waves[:, None, :, None] * waves[None, :, None, :]).reshape(-1, 1, side, side)  # of every frequency
    coefficients = F.conv2d(planes, patches)
    large = F.hardshrink(coefficients, threshold)
    large[:, 0] = coefficients[:, 0]  # the mean
    total = F.conv_transpose2d(large, patches)
    return total / F.conv_transpose2d(torch.ones_like(coefficients[:1, :1]), torch.ones_like(patches[:1]))
