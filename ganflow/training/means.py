"""Means of named scalars that stay on the device until somebody asks."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ganflow import distributed


class Means:
    """Sums and counts by name; the reduction over ranks is the sum of both."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, prefix: str, terms: Mapping[str, Tensor]) -> None:
        """Take in scalars, without waiting for the device."""
        for name, term in terms.items():
            key = f"{prefix}/{name}"
            value = term.detach().double() if self.device.type != "mps" else term.detach()
            self._sums[key] = self._sums[key] + value if key in self._sums else value
            self._counts[key] = self._counts.get(key, 0) + 1

    def reduced(self) -> dict[str, tuple[float, int]]:
        """(sum, count) by name over all ranks, on every rank. The one place that waits for the device."""
        names = sorted(self._sums)
        if not names:
            return {}
        counts = torch.tensor([self._counts[n] for n in names], dtype=torch.float64, device=self.device)
        table = torch.stack([torch.stack([self._sums[n] for n in names]), counts])
        distributed.sum_([table])
        sums, totals = table.tolist()
        return {name: (s, int(c)) for name, s, c in zip(names, sums, totals, strict=True)}

    def pop(self) -> dict[str, float]:
        """The means by name over all ranks, on every rank; starts anew."""
        reduced = self.reduced()
        self.load({})
        return {name: total / count for name, (total, count) in reduced.items()}

    def load(self, reduced: Mapping[str, tuple[float, int]]) -> None:
        """Go on from what :meth:`reduced` gave: rank 0 holds it all, the others start at zero."""
        mine = distributed.rank() == 0
        self._sums = {
            n: torch.tensor(s if mine else 0.0, dtype=torch.float64, device=self.device)
            for n, (s, _) in reduced.items()
        }
        self._counts = {n: c if mine else 0 for n, (_, c) in reduced.items()}
