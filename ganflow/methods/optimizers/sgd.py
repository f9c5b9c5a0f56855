"""Stochastic gradient descent, with Polyak's (1964) or Nesterov's (Sutskever et al., 2013) momentum if asked for."""

from collections.abc import Iterable

import torch
from torch import nn

from ganflow.config.components import component
from ganflow.errors import require


@component("optimizer", "sgd")
class SGD:
    """``v ← μ·v + g``, ``θ ← θ − lr·v``, with Nesterov ``θ ← θ − lr·(g + μ·v)``."""

    def __init__(self, lr: float = 0.01, momentum: float = 0.0, nesterov: bool = False) -> None:
        require(lr > 0, "lr", lr, "must be more than 0")
        require(0 <= momentum < 1, "momentum", momentum, "0 to less than 1")
        require(momentum > 0 or not nesterov, "nesterov", nesterov, "needs a momentum of more than 0")
        self.lr, self.momentum, self.nesterov = lr, momentum, nesterov

    def __call__(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        made = torch.optim.SGD(parameters, self.lr, self.momentum, nesterov=self.nesterov, fused=True)
        if self.momentum:  # else torch's first step leaves them unset where the device leaves it out
            for parameter in made.param_groups[0]["params"]:
                made.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        return made
