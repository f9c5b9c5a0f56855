"""The base of every metric, and what a figure says to people."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from ganflow.config import components

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


@dataclass(frozen=True)
class Measurement:
    """The value of a figure; where known, the 95 % interval and the standard deviation of what it is the mean of."""

    value: float
    low: float | None = None
    high: float | None = None
    std: float | None = None


class Metric(ABC):
    """A component of the group ``metric``: maps what it measures to named figures.

    Attributes:
        figures: every figure that it may give, in words.
        needs: what it is called with, in this order: names of properties of
            :class:`~ganflow.evaluation.evidence.inputs.MetricInputs`.
        bounded: the figure that :meth:`resampled` gives an interval; "" where none has one.
        smooth: whether that figure is a smooth function of the samples.
        signals: the kinds of data that it measures.
    """

    figures: ClassVar[Mapping[str, Figure]]
    needs: ClassVar[tuple[str, ...]] = ("fake", "real")
    bounded: ClassVar[str] = ""
    smooth: ClassVar[bool] = True
    signals: ClassVar[tuple[str, ...]] = ("image",)

    def fewest(self, features: int) -> int:
        """The smallest number of samples, of so many features each, that it measures."""
        return 2

    @abstractmethod
    def __call__(self, *inputs: Any, **by_name: Any) -> Mapping[str, float | Measurement]:
        """The figures of what it ``needs``, as measurements where a number does not say all.

        Figures of which nothing can be said are left out.

        Raises:
            UnmeasurableError: none can be made, with the reason.
        """

    def resampled(self, *inputs: Any, **by_name: Any) -> Tensor:
        """The ``bounded`` figure of every resample, from what it ``needs`` and ``counts`` (B, N): (B,).

        Sample i counts ``counts[b, i]`` times.
        """
        raise NotImplementedError(f"{type(self).__name__} has no bounded figure")


def known() -> dict[str, Figure]:
    """Every figure of every metric."""
    metrics: Iterable[type[Metric]] = components.choices("metric").values()
    return {name: figure for metric in metrics for name, figure in metric.figures.items()}
