"""Running means of scalars, accumulated on the device and synchronised only when read."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ganflow.distributed import collectives

TOGETHER = 64


class RunningMeans:
    """Sums and counts by name; the reduction over ranks is the mean of both, so a step counts once on any number."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, float] = {}
        self._left_out: dict[str, Tensor] = {}  # of the counts
        self._new: dict[str, list[tuple[Tensor, Tensor | None]]] = {}  # not in the sums: one addition for many steps

    def add(self, prefix: str, terms: Mapping[str, Tensor], left_out: Tensor | None = None) -> None:
        """Take in scalars, without waiting for the device; where ``left_out`` () is 1 on it, they do not count."""
        for name, term in terms.items():
            new = self._new.setdefault(f"{prefix}/{name}", [])
            new.append((term.detach(), left_out))
            if len(new) == TOGETHER:
                self._fold()

    def _fold(self) -> None:
        for key, new in self._new.items():
            values = torch.stack([value for value, _ in new]).double()
            if any(flag is not None for _, flag in new):
                flags = torch.stack([torch.zeros_like(value) if flag is None else flag for value, flag in new])
                values = values.where(flags == 0, 0.0)
                self._left_out[key] = self._left_out.get(key, 0.0) + flags.double().sum()
            value = values.sum()
            self._sums[key] = self._sums[key] + value if key in self._sums else value
            self._counts[key] = self._counts.get(key, 0.0) + len(new)
        self._new = {}

    def reduced(self) -> dict[str, tuple[float, float]]:
        """(sum, count) by name, averaged over all ranks, on every rank. The one place that waits for the device."""
        self._fold()
        names = sorted(self._sums)
        if not names:
            return {}
        table = torch.stack([torch.stack([self._sums[n] for n in names]), torch.stack([self._count(n) for n in names])])
        collectives.mean_([table])
        sums, totals = table.tolist()
        return {name: (s, c) for name, s, c in zip(names, sums, totals, strict=True)}

    def _count(self, name: str) -> Tensor:
        count = torch.tensor(self._counts[name], dtype=torch.float64, device=self.device)
        return count - self._left_out[name] if name in self._left_out else count

    def local(self) -> dict[str, tuple[float, float]]:
        """(sum, count) by name of this rank alone."""
        self._fold()
        return {name: (total.item(), self._count(name).item()) for name, total in self._sums.items()}

    def pop(self) -> dict[str, float]:
        """The means by name over all ranks, on every rank; starts anew."""
        reduced = self.reduced()
        self.load({})
        return {name: total / count for name, (total, count) in reduced.items() if count}

    def load(self, reduced: Mapping[str, tuple[float, float]]) -> None:
        """Go on from what :meth:`reduced` gave, on any number of ranks."""
        self._sums = {n: torch.tensor(s, dtype=torch.float64, device=self.device) for n, (s, _) in reduced.items()}
        self._counts = {n: c for n, (_, c) in reduced.items()}
        self._left_out, self._new = {}, {}
