"""Structural similarity of restored images (Wang et al., 2004)."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.evaluation.metrics.base import HIGHER, Figure
from ganflow.evaluation.metrics.features import UnmeasurableError
from ganflow.evaluation.metrics.restoration.base import RESTORES, PairMetric, in_parts, luminance, shaved
from ganflow.evaluation.metrics.restoration.pairs import Pairs

SIGMA = 1.5  # pixels, of the window
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # (K₁L)² and (K₂L)², section III.B


@component("metric", "ssim")
class SSIM(PairMetric):
    """``(2μₓμᵧ + C₁)(2σₓᵧ + C₂) / ((μₓ² + μᵧ² + C₁)(σₓ² + σᵧ² + C₂))``, the mean over windows, channels and images.

    Eq. 13 in Gaussian windows of σ = 1.5 that lie within the image, as the authors' code has it. torchmetrics counts
    windows over the edges too, which it continues by reflection.

    Args:
        luma: compare the luminance Y alone; grey images are compared as they are.
        border: pixels at each side that do not count.
        window: side of the window in pixels, odd. Another than 11 is for small images, and not comparable with papers.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "ssim": Figure("SSIM", HIGHER, "How alike the structure of restored and true images is; 1 is equal.", RESTORES),
        "ssim_simple": Figure("SSIM of the simple method", "", "The same without a model: what to beat.", RESTORES),
    }
    bounded = "ssim"

    def __init__(self, luma: bool = False, border: int = 0, window: int = 11) -> None:
        require(border >= 0, "border", border, "must be at least 0")
        require(window >= 3 and window % 2 == 1, "window", window, "must be odd, and at least 3")
        self.luma, self.border, self.window = luma, border, window

    def of_images(self, made: Tensor, pairs: Pairs) -> Tensor:
        """SSIM of every image: (N,)."""
        return similarity_per_image(made, pairs.target, self.luma, self.border, self.window)


def similarity_per_image(
    restored: Tensor, target: Tensor, luma: bool = False, border: int = 0, window: int = 11
) -> Tensor:
    """SSIM, in float64, of images from 0 to 255, (N, C, H, W): (N,).

    Raises:
        UnmeasurableError: images smaller than the window, or than the border.
    """

    def of_part(x: Tensor, y: Tensor) -> Tensor:
        return _similarity(luminance(x), luminance(y), window) if luma else _similarity(x, y, window)

    inner = [shaved(images, border, "evaluation.metrics.ssim.border") for images in (restored, target)]
    _check_window(inner[0], window)
    return in_parts(of_part, *inner)


def _similarity(x: Tensor, y: Tensor, window: int) -> Tensor:
    """Mean SSIM of images x and y (N, C, H, W) in float64: (N,)."""
    rows, columns = (_windows(side, window).to(x) for side in x.shape[-2:])
    mean_x, mean_y, xx, yy, xy = (rows @ torch.stack([x, y, x * x, y * y, x * y]) @ columns.T).unbind()
    variances = (xx - mean_x**2).clamp(min=0) + (yy - mean_y**2).clamp(min=0)
    structure = (2 * (xy - mean_x * mean_y) + C2) / (variances + C2)
    brightness = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    similarity: Tensor = (brightness * structure).flatten(1).mean(1)
    return similarity


def _windows(side: int, window: int) -> Tensor:
    """Gaussian weights of every place of a window within ``side`` pixels: (side − window + 1, side), each adds up to 1.

    As a matrix, because two products are several times faster than convolutions in float64.
    """
    offsets = torch.arange(side) - torch.arange(side - window + 1)[:, None] - window // 2
    weights = torch.exp(-offsets.double().square() / (2 * SIGMA**2)) * (offsets.abs() <= window // 2)
    return weights / weights.sum(1, keepdim=True)


def _check_window(images: Tensor, window: int) -> None:
    """Refuse images that no window lies in."""
    height, width = images.shape[-2:]
    side = min(height, width)
    if side >= window:
        return
    fits = side - 1 + side % 2  # the largest odd number that does
    way_out = f"set evaluation.metrics.ssim.window={fits} or smaller" if fits >= 3 else "no window is so small"
    raise UnmeasurableError(f"images of {height}x{width} are smaller than the window of {window}; {way_out}")
