"""RMSprop (Tieleman & Hinton, 2012)."""

from collections.abc import Iterable

import torch
from torch import nn

from ganflow.config.components import component
from ganflow.errors import require


@component("optimizer", "rmsprop")
class RMSprop:
    """RMSprop without momentum, as in WGAN."""

    def __init__(self, lr: float = 0.00005, alpha: float = 0.99, eps: float = 1e-8) -> None:
        require(lr > 0, "lr", lr, "must be more than 0")
        require(eps > 0, "eps", eps, "must be more than 0")
        require(0 <= alpha < 1, "alpha", alpha, "0 to less than 1")
        self.lr, self.alpha, self.eps = lr, alpha, eps

    def __call__(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(parameters, self.lr, self.alpha, self.eps, foreach=True)
