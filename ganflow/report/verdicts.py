"""Each figure in plain words: its meaning, which way is better, and what follows from some."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ganflow.evaluation.metrics.base import HIGHER, LOWER, Measurement
from ganflow.report.charts import number

DOUBTFUL = 0.01  # a p-value below is a sign


WORDS = {LOWER: "↓ lower is better", HIGHER: "↑ higher is better", "": ""}


@dataclass(frozen=True)
class Conclusion:
    """A conclusion that needs no expert."""

    good: bool
    text: str


def verdicts(figures: Mapping[str, Measurement], classes: int) -> list[Conclusion]:
    """The conclusions from the figures in plain words; ``classes`` of the reference, 0 where unknown."""
    sentences = []
    p, covered, modes = (_finite(figures.get(name)) for name in ("memorisation_p", "coverage", "modes"))
    if p is not None:
        copied = "Samples lie closer to training images than held-out images do"
        sentence = copied if p < DOUBTFUL else "Memorisation: no sign"
        sentences.append(Conclusion(p >= DOUBTFUL, f"{sentence} (p = {number(p, 2)})"))
    made = modes if covered is None else covered * classes
    if classes and made is not None:
        sentences.append(Conclusion(round(made) >= classes, f"Classes made: {round(made)} of {classes}"))
    return sentences


def _finite(figure: Measurement | None) -> float | None:
    return figure.value if figure is not None and math.isfinite(figure.value) else None
