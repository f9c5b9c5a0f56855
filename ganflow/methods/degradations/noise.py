"""Additive white Gaussian noise, the field's test of denoising (Dabov et al., 2007; Zhang et al., 2017, DnCNN)."""

from torch import Tensor

from ganflow.config.components import component
from ganflow.distributed.rng import RandomStream
from ganflow.errors import require
from ganflow.methods.degradations.base import Degradation
from ganflow.methods.degradations.dct_denoising import denoised


@component("degradation", "noise")
class Noise(Degradation):
    """Noise of a standard deviation ``sigma``, in levels of 0 to 255; it is not clipped, as the field has it."""

    def __init__(self, sigma: float = 25.0) -> None:
        require(0 < sigma <= 255, "sigma", sigma, "more than 0, at most 255 levels")
        self.sigma = sigma

    def __call__(self, images: Tensor, draw: RandomStream) -> Tensor:
        return images + draw.normal("noise", *images.shape[1:]) * (self.sigma / 127.5)

    def simple(self, given: Tensor) -> Tensor:
        return denoised(given, self.sigma / 127.5)
