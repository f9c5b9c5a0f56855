"""Everything that resumes, named in one place.

Randomness and sampler position need no entry: both are functions of (seed, nimg), see :mod:`ganflow.distributed.rng`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ganflow.distributed import collectives
from ganflow.distributed.metric_means import RunningMeans
from ganflow.methods.players.player import Player
from ganflow.training.ema import EMA


class TrainState:
    """The players with their optimizers, the average, the method's state, the images seen, the next report so far.

    Args:
        players: by name.
        modules: of the method; their buffers are state.
        microbatches: equal parts of a batch, of which every rank plays as many, one after the other; 0: one per rank.
    """

    def __init__(
        self,
        players: Mapping[str, Player],
        ema: EMA,
        means: RunningMeans,
        modules: nn.ModuleDict,
        microbatches: int = 0,
    ) -> None:
        self.players, self.ema, self.means, self.modules = dict(players), ema, means, modules
        self.microbatches = microbatches or collectives.world_size()
        mine = collectives.share(self.microbatches)
        self.local_microbatches = range(mine.start, mine.stop)
        self._parts_buffers: list[list[Tensor]] = []  # since the last checkpoint, where this rank plays several parts
        self.nimg = 0
        self.low_reports = 0  # reports in a row whose samples lack diversity

    def reconcile(self) -> None:
        """Average running statistics over the ranks, and hand the generator's to its average."""
        if self._parts_buffers:
            _copy(self._buffers(), _mean(self._parts_buffers))
        collectives.mean_(b for b in (*self._buffers(), *self.modules.buffers()) if b.is_floating_point())
        self._parts_buffers = []
        self.ema.copy_buffers()

    def state_dict(self, apart: bool = False) -> dict[str, object]:
        """The state of all ranks; every rank must call it, after :meth:`reconcile`.

        Args:
            apart: keep what differs between the ranks by rank instead. Then :meth:`reconcile` is not due, nothing
                changes, and a run that is saved where it would not have been ends with the same bits.
        """
        if apart:
            ranks = collectives.gather_objects(self._own())
            return {"nimg": self.nimg, "low_reports": self.low_reports, **self._modules(), "ranks": ranks}
        means = self.means.reduced()
        self.means.load(means)  # as a resumed run does: both go on from the same bits
        return {"nimg": self.nimg, "low_reports": self.low_reports, **self._modules(), "means": means}

    def finite(self) -> bool:
        """True where weights, buffers and optimizers are finite on all ranks; every rank must call it."""
        bad = [~tensor.isfinite().all() for tensor in _floating(self._modules())]
        flag = torch.stack(bad).any().double()
        collectives.mean_([flag])
        return not flag.item()

    def _modules(self) -> dict[str, object]:
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
        self._parts_buffers = []
        if "ranks" in state:
            self._load_own(state["ranks"])
        else:
            self.means.load(state["means"])

    def _own(self) -> dict[str, Any]:
        """This rank's part of the state: running statistics of its microbatches, and the next report so far."""
        parts = self._parts_buffers or [_clones(self._buffers())] * len(self.local_microbatches)
        return {
            "parts": [[b.cpu() for b in part] for part in parts],
            "modules": [b.cpu() for b in self.modules.buffers()],
            "means": self.means.local(),
        }

    def _load_own(self, ranks: Sequence[Mapping[str, Any]]) -> None:
        parts = [part for rank in ranks for part in rank["parts"]]
        if len(parts) != self.microbatches:
            parts = [_mean(parts)] * self.microbatches
        _copy(self._buffers(), parts[self.local_microbatches[0]])
        if len(self.local_microbatches) > 1:
            self._parts_buffers = [_to(parts[i], self._buffers()) for i in self.local_microbatches]
        if len(ranks) == collectives.world_size():
            modules, means = ranks[collectives.rank()]["modules"], ranks[collectives.rank()]["means"]
        else:  # of another number of ranks each takes the mean
            modules = _mean([rank["modules"] for rank in ranks])
            means = {name: _mean_pair([rank["means"][name] for rank in ranks]) for name in ranks[0]["means"]}
        _copy(list(self.modules.buffers()), modules)
        self.means.load(means)

    @contextmanager
    def part(self, place: int) -> Iterator[None]:
        """In the block the networks' running statistics are those of one of this rank's parts of the batch."""
        if len(self.local_microbatches) == 1:
            yield
            return
        self._take_part(place)
        yield
        _copy(self._parts_buffers[place], self._buffers())

    def _take_part(self, place: int) -> None:
        if not self._parts_buffers:
            self._parts_buffers = [_clones(self._buffers()) for _ in self.local_microbatches]
        _copy(self._buffers(), self._parts_buffers[place])

    def _buffers(self) -> list[Tensor]:
        return [buffer for player in self.players.values() for buffer in player.network.buffers()]


def _clones(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in tensors]


def _mean(lists: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """Of floating tensors; counters are the same in all."""
    each = zip(*lists, strict=True)
    return [torch.stack(same).sum(0) / len(same) if same[0].is_floating_point() else same[0] for same in each]


def _mean_pair(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return sum(p[0] for p in pairs) / len(pairs), sum(p[1] for p in pairs) / len(pairs)


def _to(tensors: Sequence[Tensor], like: Sequence[Tensor]) -> list[Tensor]:
    return [tensor.to(target.device, copy=True) for tensor, target in zip(tensors, like, strict=True)]


@torch.no_grad()
def _copy(to: Sequence[Tensor], tensors: Sequence[Tensor]) -> None:
    for target, tensor in zip(to, tensors, strict=True):
        target.copy_(tensor)


def _floating(node: object) -> Iterator[Tensor]:
    if isinstance(node, Tensor):
        if node.is_floating_point():
            yield node
    elif isinstance(node, Mapping):
        for child in node.values():
            yield from _floating(child)
