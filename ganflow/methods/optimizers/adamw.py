"""Adam with decoupled weight decay (Loshchilov & Hutter, 2019)."""

from collections.abc import Iterable

import torch
from torch import nn

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.optimizers.fused_adam import LeanAdam


@component("optimizer", "adamw")
class AdamW:
    """Fused AdamW. Every step takes ``lr·weight_decay`` of each weight."""

    def __init__(
        self,
        lr: float = 0.0002,
        betas: tuple[float, float] = (0.5, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        require(lr > 0, "lr", lr, "must be more than 0")
        require(eps > 0, "eps", eps, "must be more than 0")
        fit = len(betas) == 2 and all(0 <= b < 1 for b in betas)  # OmegaConf takes a tuple of any length
        require(fit, "betas", list(betas), "must be two, each from 0 to less than 1")
        require(weight_decay >= 0, "weight_decay", weight_decay, "0 (none) or more")
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay

    def __call__(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return LeanAdam(
            parameters,
            self.lr,
            self.betas,
            self.eps,
            self.weight_decay,
            fused=True,
            decoupled_weight_decay=True,
        )
