"""Everything that resumes, named in one place.

Randomness and sampler position need no entry: both are functions of (seed, nimg), see :mod:`ganflow.draws`.
"""

from collections.abc import Mapping
from typing import Any

from torch import nn

from ganflow import distributed
from ganflow.training.ema import EMA
from ganflow.training.means import Means
from ganflow.training.player import Player


class TrainState:
    """Both players with their optimizers, the average, the images seen, and what the next report has so far."""

    def __init__(self, G: Player, D: Player, ema: EMA, means: Means) -> None:
        self.G, self.D, self.ema, self.means = G, D, ema, means
        self.nimg = 0

    def reconcile(self) -> None:
        """Average running statistics over the ranks, and hand the generator's to its average."""
        for network in (self.G.network, self.D.network):
            distributed.mean_(_floating_buffers(network))
        self.ema.copy_buffers()

    def state_dict(self) -> dict[str, Any]:
        """The state of all ranks; every rank must call it, after :meth:`reconcile`."""
        means = self.means.reduced()
        self.means.load(means)  # as a resumed run does: both go on from the same bits
        return {
            "nimg": self.nimg,
            "G": self.G.network.state_dict(),
            "D": self.D.network.state_dict(),
            "ema": self.ema.network.state_dict(),
            "G_optimizer": self.G.optimizer.state_dict(),
            "D_optimizer": self.D.optimizer.state_dict(),
            "means": means,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state_dict`, on any number of ranks."""
        self.nimg = state["nimg"]
        self.G.network.load_state_dict(state["G"])
        self.D.network.load_state_dict(state["D"])
        self.ema.network.load_state_dict(state["ema"])
        self.G.optimizer.load_state_dict(state["G_optimizer"])
        self.D.optimizer.load_state_dict(state["D_optimizer"])
        self.means.load(state["means"])


def _floating_buffers(network: nn.Module) -> list[Any]:
    return [buffer for buffer in network.buffers() if buffer.is_floating_point()]
