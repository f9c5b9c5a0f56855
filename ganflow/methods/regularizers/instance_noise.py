"""Instance noise (Sønderby et al., 2017; Arjovsky & Bottou, 2017): supports that overlap at first."""

from torch import Tensor

from ganflow.config.components import component
from ganflow.distributed.rng import RandomStream
from ganflow.errors import require
from ganflow.methods.regularizers.base import Regularizer


@component("regularizer", "instance_noise")
class InstanceNoise(Regularizer):
    """D sees ``x + σ·ε`` for every real image and sample, ε normal; σ falls linearly from ``sigma`` to 0.

    Images are in [-1, 1]; ``anneal_kimg`` counts real images, and after it D sees the images as they are.
    """

    def __init__(self, sigma: float = 0.1, anneal_kimg: float = 100.0) -> None:
        super().__init__()
        require(sigma > 0, "sigma", sigma, "must be more than 0")
        require(anneal_kimg > 0, "anneal_kimg", anneal_kimg, "must be more than 0")
        self.sigma, self.anneal_kimg = sigma, anneal_kimg

    def perturb(self, images: Tensor, draw: RandomStream, nimg: int) -> Tensor:
        sigma = self.sigma * (1 - nimg / (self.anneal_kimg * 1000))
        if sigma <= 0:
            return images
        return images + sigma * draw.normal("instance-noise", *images.shape[1:]).to(images.dtype)
