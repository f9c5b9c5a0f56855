"""LeCam regularisation (Tseng et al., 2021): logits that stay near what D said of the other kind before."""

import torch
from torch import Tensor

from ganflow import distributed
from ganflow.component import component
from ganflow.errors import require
from ganflow.regularizers.base import DiscriminatorTurn, Regularizer


@component("regularizer", "lecam")
class LeCam(Regularizer):
    """``λ · (E(D(x) − α_F)² + E(D(G(z)) − α_R)²)``.

    The anchors α_R and α_F are moving averages of D's logits of real images and of samples in the turns before, over
    all ranks: ``α ← γ·α + (1 − γ)·E[D]`` with γ = ``decay``, from 0. No gradient passes through them.
    λ = 0.3 is the authors' for BigGAN on CIFAR-10. Their code counts a difference only where D(x) > α_F or
    D(G(z)) < α_R; the paper's formula, and this, has no such condition.
    """

    anchors: Tensor  # (α_R, α_F); in float64, for a rank's rounding must not show

    def __init__(self, weight: float = 0.3, decay: float = 0.99) -> None:
        super().__init__()
        require(weight >= 0, "weight", weight, "must not be negative")
        require(0 <= decay < 1, "decay", decay, "0 to less than 1")
        self.weight, self.decay = weight, decay
        self.register_buffer("anchors", torch.zeros(2, dtype=torch.float64))
        self._seen: list[Tensor] = []  # mean logits of this turn's parts

    def discriminator_term(self, turn: DiscriminatorTurn) -> Tensor:
        self._seen.append(torch.stack([turn.real_logits.detach().mean(), turn.fake_logits.detach().mean()]).double())
        of_real, of_fake = self.anchors.clone().unbind()  # the end of the turn changes the anchors
        on_real, on_fake = turn.real_logits - of_fake, turn.fake_logits - of_real
        return self.weight * (on_real.square().mean() + on_fake.square().mean())

    def finish_turn(self) -> None:
        if self._seen:
            now = torch.stack(self._seen).mean(0)
            self._seen = []
            distributed.mean_([now])
            self.anchors.lerp_(now, 1 - self.decay)
