"""DRAGAN (Kodali et al., 2017): a discriminator of unit slope around the data."""

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.distributed import collectives
from ganflow.errors import require
from ganflow.methods.regularizers.base import DiscriminatorTurn, Regularizer
from ganflow.methods.regularizers.gradients import norms


@component("regularizer", "dragan")
class DRAGAN(Regularizer):
    """``λ · E(‖∇D(x + δ)‖₂ − k)²`` with ``δ = (1 − α)·c·σ·u``, as in the authors' experiments.

    u is uniform in (0, 1) per pixel, α per image; σ is the standard deviation of the batch's pixels.
    D must not mix images, as batch normalisation does.
    """

    def __init__(self, weight: float = 10.0, k: float = 1.0, c: float = 0.5, interval: int = 1) -> None:
        super().__init__(interval)
        require(weight >= 0, "weight", weight, "must not be negative")
        require(k >= 0, "k", k, "must not be negative")
        require(c > 0, "c", c, "must be more than 0")
        self.weight, self.k, self.c = weight, k, c

    def discriminator_term(self, turn: DiscriminatorTurn) -> Tensor:
        real = turn.real.detach()
        alpha = turn.draw.uniform("dragan-alpha", 1, 1, 1).to(real.dtype)
        u = turn.draw.uniform("dragan-noise", *real.shape[1:]).to(real.dtype)
        around = real + (1 - alpha) * self.c * _deviation(real) * u
        return self.weight * (norms(turn.D, around, turn.labels) - self.k).square().mean()


def _deviation(images: Tensor) -> Tensor:
    """Of all pixels on all ranks."""
    moments = torch.stack([images.double().mean(), images.double().square().mean()])
    collectives.mean_([moments])
    return (moments[1] - moments[0].square()).clamp(min=0).sqrt()
