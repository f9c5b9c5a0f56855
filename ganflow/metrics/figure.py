"""What a figure says to people; every metric states it of each of its figures."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ganflow import component

LOWER, HIGHER = "lower", "higher"


@dataclass(frozen=True)
class Figure:
    """A figure in words."""

    label: str
    better: str  # LOWER, HIGHER; "" where neither is
    says: str  # one sentence


def known() -> dict[str, Figure]:
    """Every figure of every metric."""
    metrics: Iterable[Any] = component.choices("metric").values()
    return {name: figure for metric in metrics for name, figure in metric.figures.items()}
