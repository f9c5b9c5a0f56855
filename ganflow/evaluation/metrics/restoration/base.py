"""The base of metrics that compare restored images with true ones, each by itself, and what they see of an image."""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from ganflow.evaluation.metrics.base import Metric
from ganflow.evaluation.metrics.features import UnmeasurableError
from ganflow.evaluation.metrics.restoration.pairs import Pairs

RESTORES = "a model that restores images"
BLOCK = 1 << 18  # values of images at a time, 2 MiB in float64: memory does not grow with the number of images
LUMA = (65.481, 128.553, 24.966)  # of red, green and blue in 0 … 1, Rec. ITU-R BT.601


class PairMetric(Metric):
    """The mean over images of a figure of each one, of the model and of the simple methods.

    The first of its ``figures`` is the model's and has the interval; the second is that of the simple methods.
    """

    needs: ClassVar[tuple[str, ...]] = ("pairs",)

    @abstractmethod
    def of_images(self, made: Tensor, pairs: Pairs) -> Tensor:
        """The figure of every image of ``made`` (N, C, H, W): (N,); NaN of images that nothing can be said of.

        Raises:
            UnmeasurableError: images that have no such figure, with the reason.
        """

    def __call__(self, pairs: Pairs) -> dict[str, float]:
        made = (pairs.restored, pairs.simple)
        means = [float(self.of_images(images, pairs).nanmean()) for images in made]
        return dict(zip(self.figures, means, strict=True))

    def resampled(self, pairs: Pairs, counts: Tensor) -> Tensor:
        """The model's mean in every resample, in which image i counts ``counts[b, i]`` times: (B, N) → (at most B,).

        Resamples without an image that something can be said of are left out.
        """
        return resampled_means(self.of_images(pairs.restored, pairs), counts)


def resampled_means(values: Tensor, counts: Tensor) -> Tensor:
    """The mean of figures (N,) in every resample of counts (B, N), without those of which nothing can be said: (B,)."""
    measured = ~values.isnan()
    weights = counts.to(values)[:, measured]
    means = weights @ values[measured] / weights.sum(1)
    return means[~means.isnan()]


def in_parts(per_image: Callable[..., Tensor], *images: Tensor) -> Tensor:
    """A figure (N,) of images (N, …), about ``BLOCK`` values of them at a time, in float64."""
    n, values = len(images[0]), max(1, images[0][:1].numel())
    rows = max(1, BLOCK // values)
    parts = [per_image(*(x[at : at + rows].double() for x in images)) for at in range(0, n, rows)]
    return torch.cat(parts) if parts else images[0].new_empty(0, dtype=torch.float64)


def luminance(images: Tensor) -> Tensor:
    """``Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255`` of RGB from 0 to 255: (N, 3, H, W) → (N, 1, H, W).

    That is MATLAB's ``rgb2ycbcr``, from 16 to 235, and not rounded, as BasicSR has it. Grey images, of one channel, are
    taken as they are.
    """
    if images.shape[1] == 1:
        return images
    weights = torch.tensor(LUMA, dtype=torch.float64, device=images.device) / 255
    return 16 + (images.double() * weights[:, None, None]).sum(1, keepdim=True)


def shaved(images: Tensor, border: int, key: str) -> Tensor:
    """Images (N, C, H, W) without ``border`` pixels at each side.

    Raises:
        UnmeasurableError: nothing would remain; ``key`` is the option to change.
    """
    height, width = images.shape[-2:]
    if 2 * border >= min(height, width):
        raise UnmeasurableError(f"nothing of {height}x{width} pixels remains within the border; lower {key}={border}")
    return images[..., border : height - border, border : width - border]
