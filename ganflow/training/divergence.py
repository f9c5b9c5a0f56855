"""The guard against divergence: it leaves updates out, returns to a healthy checkpoint, or ends the run.

All ranks decide alike: by gradients, which are averaged over them, and by figures that are reduced.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ganflow.config.schema import GuardConfig
from ganflow.distributed import collectives
from ganflow.distributed.torch_internals import mark_non_finite
from ganflow.errors import GanflowError
from ganflow.methods.players.player import Player
from ganflow.storage.base import MissingError, Storage
from ganflow.training.state import TrainState

RECORD = "guard.json"
TOGETHER = 64  # flags that become one tensor


class UnhealthyError(Exception):
    """Training cannot go on from here; the last healthy checkpoint may help. The text is the reason."""


class Guard:
    """Counts what went wrong, and decides what follows.

    How often the run went back outlives the process in ``guard.json``: a checkpoint from before the return cannot know.

    Args:
        storage: where the run's checkpoints are; None keeps none.
        device: of the gradients.
        optimizers: their keys in ``params.yaml``, for the error.
    """

    def __init__(
        self, config: GuardConfig, storage: Storage | None, device: torch.device, optimizers: Sequence[str] = ()
    ) -> None:
        self.config, self.storage, self.rollbacks = config, storage, 0
        self._rates = [f"{key}.lr" for key in optimizers]
        self._in_a_row: Counter[str] = Counter()  # turns left out, by player
        self._in_all: Counter[str] = Counter()
        self._one = torch.ones((), device=device, dtype=torch.float32)
        self._always = device.type == "cpu"
        self.looks = self._always  # into each turn at once, which a GPU would stand still for
        self._trouble = False  # since the last :meth:`look`
        self._flags: dict[str, list[Tensor]] = {}  # by player, of turns that were not looked into

    @property
    def rate(self) -> float:
        """The factor of all learning rates."""
        return self.config.slow_down**self.rollbacks

    def recall(self) -> None:
        """Know of the returns before this process. Rank 0 reads, all ranks know."""
        self.rollbacks = collectives.from_rank_0(self._recorded)

    def _recorded(self) -> int:
        try:
            return int(json.loads(self.storage.read(RECORD))["rollbacks"]) if self.storage else 0
        except MissingError:
            return 0

    def check_gradients(self, name: str, player: Player, terms: Mapping[str, Tensor]) -> str | None:
        """None where the gradients of a turn are finite; else a line on why its update must be left out.

        Raises:
            UnhealthyError: this player's updates were left out ``patience`` times in a row.
        """
        if self._flag(player).item() == 0:
            self._in_a_row[name] = 0
            return None
        self._in_a_row[name] += 1
        self._in_all[name] += 1
        self._trouble = True
        why, times, in_all = fault(name, terms, player.network), self._in_a_row[name], self._in_all[name]
        if times >= self.config.patience:
            raise UnhealthyError(f"{why}, {times} times in a row")
        return f"{why}: the update is left out ({in_all} of {name} so far)"

    def flag_gradients(self, name: str, player: Player) -> Tensor:
        """1 () where the gradients of a turn are not finite, else 0: on the device, for :meth:`look` to count later."""
        flag = self._flag(player)
        flags = self._flags.setdefault(name, [])
        flags.append(flag)
        if len(flags) == TOGETHER:
            self._flags[name] = [_joined(flags)]
        return flag

    def look(self) -> list[str]:
        """A line for each player whose updates were left out since the last time. Then every turn is looked into until
        a time without one, so that lines name terms and layers.

        Raises:
            UnhealthyError: a player's updates were left out ``patience`` times in a row.
        """
        flags, self._flags = self._flags, {}
        lines = [line for name, some in flags.items() if (line := self._count(name, _joined(some).tolist()))]
        self.looks = self._always or self._trouble or bool(lines)
        self._trouble = False
        return lines

    def _count(self, name: str, left_out: Sequence[float]) -> str | None:
        longest = 0
        for flag in left_out:
            self._in_a_row[name] = self._in_a_row[name] + 1 if flag else 0
            longest = max(longest, self._in_a_row[name])
        number = int(sum(left_out))
        self._in_all[name] += number
        if longest >= self.config.patience:
            raise UnhealthyError(f"{name}'s gradients were not finite {longest} times in a row")
        if not number:
            return None
        why = f"{name}'s gradients were not finite in {number} of {len(left_out)} turns"
        return f"{why}: these updates are left out ({self._in_all[name]} of {name} so far)"

    def is_news(self, name: str) -> bool:
        """True for the 1st, 2nd, 4th, 8th, … update that is left out: a fault that comes and goes fills no screen."""
        return self._in_all[name] & (self._in_all[name] - 1) == 0

    def _flag(self, player: Player) -> Tensor:
        return self.flag([player.total, *(p.grad for p in player.parameters if p.grad is not None)])

    def flag(self, gradients: Sequence[Tensor]) -> Tensor:
        """1 () where any value is infinite or not a number, else 0."""
        flag = torch.zeros_like(self._one)
        mark_non_finite(gradients, flag, self._one)
        return flag

    def check_collapse(self, diversity: float, state: TrainState) -> str | None:
        """Act on mode collapse: a sample diversity below ``min_diversity`` for ``patience`` reports in a row.

        Returns:
            A line about it where training goes on all the same.

        Raises:
            UnhealthyError: with ``on_collapse=rollback``.
            GanflowError: with ``on_collapse=stop``.
        """
        c = self.config
        state.low_reports = state.low_reports + 1 if diversity < c.min_diversity else 0
        if state.low_reports != c.patience:
            return None
        limit = f"below training.guard.min_diversity={c.min_diversity:g} in {c.patience} reports in a row"
        why = f"the generator has collapsed: sample diversity {diversity:.2g}, {limit}"
        if c.on_collapse == "stop":
            raise GanflowError(f"{why}; training.guard.on_collapse=warn would go on")
        if c.on_collapse == "rollback":
            raise UnhealthyError(why)
        return why

    def is_healthy(self, state: TrainState) -> bool:
        """True where a checkpoint of this state would be fit to go back to."""
        collapsing = self.config.on_collapse == "rollback" and state.low_reports > 0
        return not collapsing and not any(self._in_a_row.values())

    def go_back(self, why: str, possible: bool) -> None:
        """Count a return to the last checkpoint, safely before it happens.

        Raises:
            GanflowError: there is none, or the run went back often enough.
        """
        hint = f"smaller learning rates may help ({', '.join(self._rates)})"
        if not possible:
            raise GanflowError(f"{why}; there is no checkpoint to go back to; {hint}")
        if self.rollbacks >= self.config.rollbacks:
            raise GanflowError(f"{why}; training went back to a checkpoint {self.rollbacks} times already; {hint}")
        self.rollbacks += 1
        self._in_a_row.clear()
        self._flags.clear()
        if self.storage and collectives.rank() == 0:
            self.storage.write(RECORD, json.dumps({"rollbacks": self.rollbacks}).encode())


def _joined(flags: Sequence[Tensor]) -> Tensor:
    return torch.cat([flag.reshape(-1) for flag in flags])


def fault(name: str, terms: Mapping[str, Tensor], network: nn.Module) -> str:
    """One line: the terms of a turn that are not finite on any rank, and the first layers whose gradient is not."""
    flags = torch.stack([(~term.detach().isfinite()).double() for term in terms.values()])
    collectives.mean_([flags])
    bad = [f"{name}/{term}" for term, flag in zip(terms, flags.tolist(), strict=True) if flag]
    layers = [k for k, p in network.named_parameters() if p.grad is not None and not bool(p.grad.isfinite().all())]
    shown = ", ".join(layers[:2]) + (f" and {len(layers) - 2} more" if len(layers) > 2 else "")
    what = f"{' and '.join(bad)} not finite" if bad else f"{name}'s terms are finite"
    return f"{what}, the gradient not finite in {shown}" if bad else f"{what} but not the gradient in {shown}"
