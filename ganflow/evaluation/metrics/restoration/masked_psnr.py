"""Peak signal-to-noise ratio of the pixels that a model was not given, as in inpainting."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from ganflow.config.components import component
from ganflow.evaluation.metrics.base import HIGHER, Figure
from ganflow.evaluation.metrics.features import UnmeasurableError
from ganflow.evaluation.metrics.restoration.base import RESTORES, PairMetric, in_parts
from ganflow.evaluation.metrics.restoration.pairs import Pairs
from ganflow.evaluation.metrics.restoration.psnr import decibels


@component("metric", "masked_psnr")
class MaskedPSNR(PairMetric):
    """PSNR of each image over its hidden pixels alone; the mean over the images that have some.

    Of a whole image PSNR is mostly that of pixels which were given.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "masked_psnr": Figure(
            "PSNR of hidden pixels", HIGHER, "How close what was filled in is to the true pixels, in dB.", RESTORES
        ),
        "masked_psnr_simple": Figure(
            "PSNR of hidden pixels, simple method", "", "The same without a model: what to beat.", RESTORES
        ),
    }
    bounded = "masked_psnr"

    def of_images(self, made: Tensor, pairs: Pairs) -> Tensor:
        """PSNR of every image's hidden pixels: (N,); NaN without any."""
        if pairs.hidden is None or not pairs.hidden.any():
            raise UnmeasurableError("no pixels are hidden")
        return hidden_per_image(made, pairs.target, pairs.hidden)


def hidden_per_image(restored: Tensor, target: Tensor, hidden: Tensor) -> Tensor:
    """PSNR in dB of images from 0 to 255, (N, C, H, W), over ``hidden`` pixels (N, 1, H, W): (N,); NaN without any."""

    def of_part(x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
        squares = ((x - y).square() * mask).flatten(1).sum(1)
        return decibels(squares / (x.shape[1] * mask.flatten(1).sum(1)))

    return in_parts(of_part, restored, target, hidden)
