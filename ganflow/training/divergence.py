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
from ganflow.methods.player import Player
from ganflow.storage.base import MissingError, Storage
from ganflow.training.state import TrainState

RECORD = "guard.json"


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
        self._non_finite = torch.zeros((), device=device, dtype=torch.float32)
        self._one = torch.ones_like(self._non_finite)

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
        if self._finite([player.total, *(p.grad for p in player.parameters if p.grad is not None)]):
            self._in_a_row[name] = 0
            return None
        self._in_a_row[name] += 1
        self._in_all[name] += 1
        why, times, in_all = fault(name, terms, player.network), self._in_a_row[name], self._in_all[name]
        if times >= self.config.patience:
            raise UnhealthyError(f"{why}, {times} times in a row")
        return f"{why}: the update is left out ({in_all} of {name} so far)"

    def is_news(self, name: str) -> bool:
        """True for the 1st, 2nd, 4th, 8th, … update that is left out: a fault that comes and goes fills no screen."""
        return self._in_all[name] & (self._in_all[name] - 1) == 0

    def _finite(self, gradients: list[Tensor]) -> bool:
        self._non_finite.zero_()
        mark_non_finite(gradients, self._non_finite, self._one)
        return self._non_finite.item() == 0

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
        if self.storage and collectives.rank() == 0:
            self.storage.write(RECORD, json.dumps({"rollbacks": self.rollbacks}).encode())


def fault(name: str, terms: Mapping[str, Tensor], network: nn.Module) -> str:
    """One line: the terms of a turn that are not finite on any rank, and the first layers whose gradient is not."""
    flags = torch.stack([(~term.detach().isfinite()).double() for term in terms.values()])
    collectives.mean_([flags])
    bad = [f"{name}/{term}" for term, flag in zip(terms, flags.tolist(), strict=True) if flag]
    layers = [k for k, p in network.named_parameters() if p.grad is not None and not bool(p.grad.isfinite().all())]
    shown = ", ".join(layers[:2]) + (f" and {len(layers) - 2} more" if len(layers) > 2 else "")
    what = f"{' and '.join(bad)} not finite" if bad else f"{name}'s terms are finite"
    return f"{what}, the gradient not finite in {shown}" if bad else f"{what} but not the gradient in {shown}"
