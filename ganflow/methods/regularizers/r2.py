"""R2 (Mescheder et al., 2018, eq. 10): a discriminator that is flat around the samples."""

from torch import Tensor

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.regularizers.base import DiscriminatorTurn, Regularizer
from ganflow.methods.regularizers.gradients import gradient


@component("regularizer", "r2")
class R2(Regularizer):
    """``γ/2 · E‖∇D(G(z))‖²`` on samples, R1's counterpart; R3GAN (Huang et al., 2024) needs both."""

    differentiates = frozenset({"fake"})

    def __init__(self, gamma: float = 0.1, interval: int = 1) -> None:
        super().__init__(interval)
        require(gamma >= 0, "gamma", gamma, "must not be negative")
        self.gamma = gamma

    def discriminator_term(self, turn: DiscriminatorTurn) -> Tensor:
        return self.gamma / 2 * gradient(turn.fake_logits, turn.fake).square().sum(1).mean()
