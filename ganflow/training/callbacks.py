"""The trainer's ties to the outside, given when it is built."""

from collections.abc import Callable
from dataclasses import dataclass

from ganflow.methods.generator import Generator
from ganflow.training.events import Listener, silent

Measure = Callable[[Generator], dict[str, float]]


def _no_figures(_: Generator) -> dict[str, float]:
    return {}


def _never() -> str | None:
    return None


@dataclass(frozen=True)
class Callbacks:
    """Functions that training calls.

    Attributes:
        listener: hears every event, on rank 0.
        measure: gives the figures of a snapshot, by name; every rank calls it.
        pause_requested: says why training should pause, if it should, on whichever rank is told first.
    """

    listener: Listener = silent
    measure: Measure = _no_figures
    pause_requested: Callable[[], str | None] = _never
