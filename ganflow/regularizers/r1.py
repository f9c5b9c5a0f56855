"""R1 (Mescheder et al., 2018, eq. 9): a discriminator that is flat around the data."""

import torch
from torch import Tensor

from ganflow.component import component
from ganflow.errors import require


@component("regularizer", "r1")
class R1:
    """``γ/2 · E‖∇D(x)‖²`` on real images. With ``interval`` k it is due every k-th turn, k times as strong."""

    def __init__(self, gamma: float = 0.1, interval: int = 1) -> None:
        require(gamma >= 0, "gamma", gamma, "must not be negative")
        require(interval > 0, "interval", interval, "must be at least 1")
        self.gamma, self.interval = gamma, interval

    def __call__(self, real: Tensor, real_logits: Tensor) -> Tensor:
        """The penalty as a scalar.

        Args:
            real: images (N, C, H, W) that require a gradient.
            real_logits: D of them, (N,).
        """
        (gradient,) = torch.autograd.grad(real_logits.sum(), real, create_graph=True)
        return self.gamma / 2 * gradient.square().sum((1, 2, 3)).mean()
