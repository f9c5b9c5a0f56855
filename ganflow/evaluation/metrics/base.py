"""What a figure says to people; every metric states it of each of its figures."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ganflow.config import components
from ganflow.errors import GanflowError

LOWER, HIGHER = "lower", "higher"
CLASSES = "an extractor that knows the classes of the data"  # what figures need
LABELS = "classes of the samples and of the reference"


@dataclass(frozen=True)
class Figure:
    """A figure in words."""

    label: str
    better: str  # LOWER, HIGHER; "" where neither is
    says: str  # one sentence
    needs: str = ""  # beyond samples and reference; where that lacks, the figure is left out


class UnmeasurableError(GanflowError):
    """Features that a metric makes no figure of, with the reason; the other metrics go on."""


def known() -> dict[str, Figure]:
    """Every figure of every metric."""
    metrics: Iterable[Any] = components.choices("metric").values()
    return {name: figure for metric in metrics for name, figure in metric.figures.items()}
