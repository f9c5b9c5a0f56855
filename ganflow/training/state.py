"""Everything that resumes, named in one place.

Randomness and sampler position need no entry: both are functions of (seed, nimg), see :mod:`ganflow.draws`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ganflow import distributed
from ganflow.training.ema import EMA
from ganflow.training.means import Means
from ganflow.training.player import Player


class TrainState:
    """The players with their optimizers, the average, the method's state, the images seen, the next report so far.

    Args:
        players: by name; ``G`` is the one that is averaged.
        modules: of the method; their buffers are state.
    """

    def __init__(self, players: Mapping[str, Player], ema: EMA, means: Means, modules: nn.ModuleDict) -> None:
        self.players, self.ema, self.means, self.modules = dict(players), ema, means, modules
        self.nimg = 0
        self.low_reports = 0  # reports in a row whose samples lack diversity

    def reconcile(self) -> None:
        """Average running statistics over the ranks, and hand the generator's to its average."""
        for module in (*(player.network for player in self.players.values()), self.modules):
            distributed.mean_([buffer for buffer in module.buffers() if buffer.is_floating_point()])
        self.ema.copy_buffers()

    def state_dict(self) -> dict[str, Any]:
        """The state of all ranks; every rank must call it, after :meth:`reconcile`."""
        means = self.means.reduced()
        self.means.load(means)  # as a resumed run does: both go on from the same bits
        return {"nimg": self.nimg, "low_reports": self.low_reports, **self._modules(), "means": means}

    def finite(self) -> bool:
        """Whether weights, buffers and optimizers are finite on all ranks; every rank must call it."""
        bad = [~tensor.isfinite().all() for tensor in _floating(self._modules())]
        flag = torch.stack(bad).any().double()
        distributed.mean_([flag])
        return not flag.item()

    def _modules(self) -> dict[str, Any]:
        return {
            "players": {name: player.state_dict() for name, player in self.players.items()},
            "ema": self.ema.network.state_dict(),
            "modules": self.modules.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state_dict`, on any number of ranks."""
        self.nimg, self.low_reports = state["nimg"], state["low_reports"]
        for name, player in self.players.items():
            player.load_state_dict(state["players"][name])
        self.ema.network.load_state_dict(state["ema"])
        self.modules.load_state_dict(state["modules"])
        self.means.load(state["means"])


def _floating(node: Any) -> Iterator[Tensor]:
    if isinstance(node, Tensor):
        if node.is_floating_point():
            yield node
    elif isinstance(node, Mapping):
        for child in node.values():
            yield from _floating(child)
