"""Gradient clipping (Pascanu et al., 2013, algorithm 1): a bound on the length of a step."""

from collections.abc import Sequence

from torch import nn

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.regularizers.base import Regularizer


@component("regularizer", "gradient_clipping")
class GradientClipping(Regularizer):
    """``g ← g · min(1, c/‖g‖₂)`` with c = ``max_norm``, over all parameters of a player together, in both turns."""

    def __init__(self, max_norm: float = 1.0) -> None:
        super().__init__()
        require(max_norm > 0, "max_norm", max_norm, "must be more than 0")
        self.max_norm = max_norm

    def adjust_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        nn.utils.clip_grad_norm_(parameters, self.max_norm)
