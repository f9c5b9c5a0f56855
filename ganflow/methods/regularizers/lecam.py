"""LeCam regularisation (Tseng et al., 2021): logits that stay near what D said of the other kind before."""

import torch
from torch import Tensor
from torch.nn.functional import relu

from ganflow.config.components import component
from ganflow.distributed import collectives
from ganflow.errors import require
from ganflow.methods.regularizers.base import DiscriminatorTurn, Regularizer


@component("regularizer", "lecam")
class LeCam(Regularizer):
    """``λ · (E[(D(x) − α_F)₊²] + E[(α_R − D(G(z)))₊²])``; the paper's formula (``one_sided=false``) has no ₊.

    The anchors α_R and α_F are moving averages of D's logits of real images and of samples, over all ranks: ``α ← γ·α +
    (1 − γ)·E[D]`` with γ = ``decay``. No gradient passes through them. As in the authors' code for BigGAN on CIFAR-10,
    whose λ is 0.3, the term is there after ``start`` steps, before which γ is 0; and with ``current`` its anchors hold
    this turn's logits already: those of the part of the batch that is played at a time. Without ``current`` they are
    those of the turns before, and several ranks have the term of one.
    """

    anchors: Tensor  # (α_R, α_F); in float64, because a rank's rounding must not show

    def __init__(
        self,
        weight: float = 0.3,
        decay: float = 0.99,
        start: int = 1000,
        one_sided: bool = True,
        current: bool = True,
    ) -> None:
        super().__init__()
        require(weight >= 0, "weight", weight, "must not be negative")
        require(0 <= decay < 1, "decay", decay, "0 to less than 1")
        require(start >= 0, "start", start, "0 (at once) or more steps")
        self.weight, self.decay, self.start = weight, decay, start
        self.one_sided, self.current = one_sided, current
        self.register_buffer("anchors", torch.zeros(2, dtype=torch.float64))
        self._seen: list[Tensor] = []  # mean logits of this turn's parts
        self._kept = decay  # of the anchors at the end of this turn

    def discriminator_term(self, turn: DiscriminatorTurn) -> Tensor | None:
        now = torch.stack([turn.real_logits.detach().mean(), turn.fake_logits.detach().mean()]).double()
        self._seen.append(now)
        self._kept = self.decay if turn.step + 1 >= self.start else 0.0
        if turn.step < self.start:
            return None
        # The end of the turn changes the anchors.
        anchors = self.anchors.lerp(now, 1 - self._kept) if self.current else self.anchors.clone()
        of_real, of_fake = anchors.unbind()
        differences = turn.real_logits - of_fake, of_real - turn.fake_logits
        on_real, on_fake = map(relu, differences) if self.one_sided else differences
        return self.weight * (on_real.square().mean() + on_fake.square().mean())

    def finish_turn(self) -> None:
        if self._seen:
            now = torch.stack(self._seen).mean(0)
            self._seen = []
            collectives.mean_([now])
            self.anchors.lerp_(now, 1 - self._kept)
