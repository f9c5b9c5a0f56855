"""Peak signal-to-noise ratio of restored images."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.evaluation.metrics.base import HIGHER, Figure
from ganflow.evaluation.metrics.restoration.base import RESTORES, PairMetric, in_parts, luminance, shaved
from ganflow.evaluation.metrics.restoration.pairs import Pairs

PEAK = 255.0
CAP = 100.0  # dB, of an image without error: one grey level in one of 150,000 values


@component("metric", "psnr")
class PSNR(PairMetric):
    """``10 log₁₀(255² / MSE)`` in dB, of each image over its pixels and channels; the mean over images.

    An image that equals its target has no error to divide by: ``CAP`` dB is the most that an image counts.

    Args:
        luma: compare the luminance Y alone, as papers on super-resolution do; grey images are compared as they are.
        border: pixels at each side that do not count.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "psnr": Figure("PSNR", HIGHER, "How close restored images are to the true ones, in dB.", RESTORES),
        "psnr_simple": Figure("PSNR of the simple method", "", "The same without a model: what to beat.", RESTORES),
    }
    bounded = "psnr"

    def __init__(self, luma: bool = False, border: int = 0) -> None:
        require(border >= 0, "border", border, "must be at least 0")
        self.luma, self.border = luma, border

    def of_images(self, made: Tensor, pairs: Pairs) -> Tensor:
        """PSNR of every image: (N,)."""
        return per_image(made, pairs.target, self.luma, self.border)


def per_image(restored: Tensor, target: Tensor, luma: bool = False, border: int = 0) -> Tensor:
    """PSNR in dB, in float64, of images from 0 to 255, (N, C, H, W): (N,).

    Args:
        restored: what was made of degraded images.
        target: the true images.
        luma: compare :func:`~ganflow.evaluation.metrics.restoration.base.luminance` alone.
        border: pixels at each side that do not count.

    Raises:
        UnmeasurableError: the border leaves nothing.
    """

    def of_part(x: Tensor, y: Tensor) -> Tensor:
        errors = luminance(x) - luminance(y) if luma else x - y
        return decibels(errors.square().flatten(1).mean(1))

    return in_parts(
        of_part, *(shaved(images, border, "evaluation.metrics.psnr.border") for images in (restored, target))
    )


def decibels(mse: Tensor) -> Tensor:
    """PSNR of mean squared errors (N,), at most ``CAP``: (N,)."""
    return (10 * torch.log10(PEAK**2 / mse)).clamp(max=CAP)
