"""Adam (Kingma & Ba, 2015)."""

from collections.abc import Iterable

import torch
from torch import nn

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.optimizers.fused_adam import LeanAdam


@component("optimizer", "adam")
class Adam:
    """Fused Adam."""

    def __init__(self, lr: float = 0.0002, betas: tuple[float, float] = (0.5, 0.999), eps: float = 1e-8) -> None:
        require(lr > 0, "lr", lr, "must be more than 0")
        require(eps > 0, "eps", eps, "must be more than 0")
        fit = len(betas) == 2 and all(0 <= b < 1 for b in betas)  # OmegaConf takes a tuple of any length
        require(fit, "betas", list(betas), "must be two, each from 0 to less than 1")
        self.lr, self.betas, self.eps = lr, betas, eps

    def __call__(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return LeanAdam(parameters, self.lr, self.betas, self.eps, fused=True)
