"""The exponential moving average of the generator's weights: what is sampled, measured and registered."""

import copy

import torch
from torch import Tensor, nn

from ganflow.distributed.torch_internals import lerp_all


class EMA:
    """Half-life in images: ``β = 0.5^(batch/h)``, ``h = min(half_life, rampup · images seen)`` (StyleGAN2).

    Args:
        network: the network that is followed.
        half_life: in images; 0 follows without delay.
        rampup: share of the images seen that the half-life may reach; 0 turns the ramp-up off.
        start: images before which the average is a copy of the network.
    """

    def __init__(self, network: nn.Module, half_life: float, rampup: float, start: float = 0.0) -> None:
        self.source = network
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.half_life, self.rampup, self.start = half_life, rampup, start
        self._averages: list[Tensor] = list(self.network.parameters())
        self._weights: list[Tensor] = list(network.parameters())

    def beta(self, nimg: int, batch: int) -> float:
        """The weight of the old average in a step of ``batch`` images that ends at ``nimg`` images."""
        if nimg < self.start:
            return 0.0
        half_life = min(self.half_life, nimg * self.rampup) if self.rampup else self.half_life
        return float(0.5 ** (batch / half_life)) if half_life > 0 else 0.0

    @torch.no_grad()
    def update(self, nimg: int, batch: int) -> None:
        """Move the average towards the network by one step; buffers are copied at :meth:`copy_buffers`."""
        lerp_all(self._averages, self._weights, 1.0 - self.beta(nimg, batch))

    @torch.no_grad()
    def copy_buffers(self) -> None:
        """Take the network's buffers (running statistics) as they are."""
        for average, buffer in zip(self.network.buffers(), self.source.buffers(), strict=True):
            average.copy_(buffer)
