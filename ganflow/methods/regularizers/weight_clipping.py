"""Weight clipping (Arjovsky et al., 2017, algorithm 1): a Lipschitz critic by a box around its weights."""

from collections.abc import Sequence

import torch
from torch import nn

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.regularizers.base import Regularizer


@component("regularizer", "weight_clipping")
class WeightClipping(Regularizer):
    """``w ← min(max(w, −c), c)`` of every parameter of D after each of its steps."""

    def __init__(self, c: float = 0.01) -> None:
        super().__init__()
        require(c > 0, "c", c, "must be more than 0")
        self.c = c

    @torch.no_grad()
    def constrain_discriminator(self, parameters: Sequence[nn.Parameter]) -> None:
        for parameter in parameters:
            parameter.clamp_(-self.c, self.c)
