"""The mean absolute difference, pix2pix's content loss (Isola et al., 2017, eq. 3)."""

from torch import Tensor
from torch.nn.functional import l1_loss

from ganflow.config.components import component
from ganflow.methods.content_losses.base import ContentLoss
from ganflow.methods.regularizers.base import GeneratorTurn


@component("content_loss", "l1")
class L1(ContentLoss):
    """``λ · E|x − G|``, of values in [-1, 1]; the paper's λ is 100."""

    def __init__(self, weight: float = 100.0) -> None:
        super().__init__(weight)

    def forward(self, turn: GeneratorTurn) -> Tensor:
        return l1_loss(turn.fake, turn.real)
