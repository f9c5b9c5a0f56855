"""RMSprop (Tieleman & Hinton, 2012)."""

from collections.abc import Iterable

import torch
from torch import nn

from ganflow.config.components import component
from ganflow.distributed import torch_internals
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
        return SkippingRMSprop(parameters, self.lr, self.alpha, self.eps, foreach=True)


class SkippingRMSprop(torch.optim.RMSprop):
    """``torch.optim.RMSprop`` that leaves an update out where the device finds a reason, as fused optimizers do."""

    _step_supports_amp_scaling = True
    found_inf: torch.Tensor  # () of 0 or 1, while there is one

    def step(self) -> None:  # type: ignore[override]
        """Move along the gradients; where ``found_inf`` is 1, weights and their state stay."""
        if not hasattr(self, "found_inf"):
            torch_internals.step(self, torch.optim.RMSprop)
            return
        learning = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        before = [state["square_avg"].clone() if (state := self.state[p]) else torch.zeros_like(p) for p in learning]
        left_out = self.found_inf != 0
        for p in learning:
            p.grad = p.grad.masked_fill(left_out, 0.0)
        torch_internals.step(self, torch.optim.RMSprop)  # no gradient moves no weight
        for p, square in zip(learning, before, strict=True):
            now = self.state[p]["square_avg"]
            now.copy_(torch.where(left_out, square, now))

    step.hooked = True  # type: ignore[attr-defined]
