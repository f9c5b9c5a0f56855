"""The mean squared difference, whose minimum has the highest PSNR (Ledig et al., 2017, eq. 4)."""

from torch import Tensor
from torch.nn.functional import mse_loss

from ganflow.config.components import component
from ganflow.methods.content_losses.base import ContentLoss
from ganflow.methods.regularizers.base import GeneratorTurn


@component("content_loss", "squared_error")
class SquaredError(ContentLoss):
    """``λ · E(x − G)²``, of values in [-1, 1]."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__(weight)

    def forward(self, turn: GeneratorTurn) -> Tensor:
        return mse_loss(turn.fake, turn.real)
