"""Two evaluations by one protocol: which is better, by how much, and whether that is more than noise."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ganflow.errors import GanflowError
from ganflow.evaluation.metrics.base import LOWER, known

SAME = ("reference", "reference_samples", "extractor")  # of the protocol, or figures do not compare


@dataclass(frozen=True)
class Difference:
    """One figure of A and of B."""

    figure: str
    a: float
    b: float
    better: str  # LOWER or HIGHER
    by: float | None = None  # A − B, both freed of the bias of finite samples; None where no interval is known
    margin: float | None = None  # half of the difference's 95 % interval

    @property
    def winner(self) -> str | None:
        """``A`` or ``B``; None where they differ by no more than noise, or the noise is not known."""
        if self.by is None or self.margin is None or abs(self.by) <= self.margin:
            return None
        return "A" if (self.by < 0) == (self.better == LOWER) else "B"


def compare(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    """The differences of two evaluations' values, figure by figure.

    The two are independent draws, so the variances of their figures add.

    Raises:
        GanflowError: they were not measured by one protocol.
    """
    for key in SAME:
        if a.get(key) != b.get(key):
            raise GanflowError(f"{key} is {a.get(key)} of A and {b.get(key)} of B: such figures do not compare")
    ways = {name: figure.better for name, figure in known().items()}
    return [_difference(name, ways[name], a, b) for name in a if name in b and ways.get(name)]


def _difference(name: str, better: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> Difference:
    if not all(f"{name}_{end}" in side for side in (a, b) for end in ("low", "high")):
        return Difference(name, a[name], b[name], better)
    (centre_a, half_a), (centre_b, half_b) = (_interval(name, side) for side in (a, b))
    return Difference(name, a[name], b[name], better, centre_a - centre_b, math.hypot(half_a, half_b))


def _interval(name: str, values: Mapping[str, Any]) -> tuple[float, float]:
    """Centre and half width."""
    low, high = values[f"{name}_low"], values[f"{name}_high"]
    return (low + high) / 2, (high - low) / 2
