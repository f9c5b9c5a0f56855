"""Two evaluations by one protocol: which is better, by how much, and whether that is more than noise."""

import math
from dataclasses import dataclass

from ganflow.errors import GanflowError
from ganflow.evaluation.metrics.base import LOWER, Measurement, known
from ganflow.evaluation.outcome import Evaluation

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


def compare(a: Evaluation, b: Evaluation) -> list[Difference]:
    """The differences of two evaluations, figure by figure.

    The two are independent draws, so the variances of their figures add.

    Raises:
        GanflowError: they were not measured by one protocol.
    """
    for key in SAME:
        of_a, of_b = (getattr(side.protocol, key) for side in (a, b))
        if of_a != of_b:
            raise GanflowError(f"{key} is {of_a} of A and {of_b} of B: such figures do not compare")
    ways = {name: figure.better for name, figure in known().items()}
    shared = [name for name in a.figures if name in b.figures and ways.get(name)]
    return [_difference(name, ways[name], a.figures[name], b.figures[name]) for name in shared]


def _difference(name: str, better: str, a: Measurement, b: Measurement) -> Difference:
    interval_a, interval_b = _interval(a), _interval(b)
    if interval_a is None or interval_b is None:
        return Difference(name, a.value, b.value, better)
    (centre_a, half_a), (centre_b, half_b) = interval_a, interval_b
    return Difference(name, a.value, b.value, better, centre_a - centre_b, math.hypot(half_a, half_b))


def _interval(figure: Measurement) -> tuple[float, float] | None:
    """Centre and half width."""
    if figure.low is None or figure.high is None:
        return None
    return (figure.low + figure.high) / 2, (figure.high - figure.low) / 2
