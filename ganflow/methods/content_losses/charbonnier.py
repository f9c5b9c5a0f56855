"""Charbonnier's loss, a smooth absolute difference (Charbonnier et al., 1994; Lai et al., 2017, LapSRN, eq. 3)."""

from torch import Tensor

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.content_losses.base import ContentLoss
from ganflow.methods.regularizers.base import GeneratorTurn


@component("content_loss", "charbonnier")
class Charbonnier(ContentLoss):
    """``λ · E√((x − G)² + ε²)``, of values in [-1, 1]."""

    def __init__(self, weight: float = 1.0, epsilon: float = 1e-3) -> None:
        super().__init__(weight)
        require(epsilon > 0, "epsilon", epsilon, "must be more than 0")
        self.epsilon = epsilon

    def forward(self, turn: GeneratorTurn) -> Tensor:
        return ((turn.fake - turn.real).square() + self.epsilon**2).sqrt().mean()
