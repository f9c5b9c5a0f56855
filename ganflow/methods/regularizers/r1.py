"""R1 (Mescheder et al., 2018, eq. 9): a discriminator that is flat around the data."""

from torch import Tensor

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.regularizers.base import DiscriminatorTurn, Regularizer
from ganflow.methods.regularizers.gradients import gradient


@component("regularizer", "r1")
class R1(Regularizer):
    """``γ/2 · E‖∇D(x)‖²`` on real images. With ``interval`` k it is due every k-th turn, k times as strong."""

    differentiates = frozenset({"real"})

    def __init__(self, gamma: float = 0.1, interval: int = 1) -> None:
        super().__init__(interval)
        require(gamma >= 0, "gamma", gamma, "must not be negative")
        self.gamma = gamma

    def discriminator_term(self, turn: DiscriminatorTurn) -> Tensor:
        return self.gamma / 2 * gradient(turn.real_logits, turn.real).square().sum(1).mean()
