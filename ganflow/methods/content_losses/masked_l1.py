"""The mean absolute difference of the pixels that were hidden (Pathak et al., 2016; Liu et al., 2018, eq. 1)."""

from torch import Tensor

from ganflow.config.components import component
from ganflow.methods.content_losses.base import ContentLoss
from ganflow.methods.regularizers.base import GeneratorTurn


@component("content_loss", "masked_l1")
class MaskedL1(ContentLoss):
    """``λ · E|m · (x − G)| / E m``: each image by itself, then their mean; values in [-1, 1]."""

    of_hidden = True

    def __init__(self, weight: float = 100.0) -> None:
        super().__init__(weight)

    def forward(self, turn: GeneratorTurn) -> Tensor:
        assert turn.hidden is not None
        apart = ((turn.fake - turn.real).abs() * turn.hidden).mean((1, 2, 3))
        return (apart / turn.hidden.mean((1, 2, 3)).clamp_min(1 / turn.hidden[0].numel())).mean()
