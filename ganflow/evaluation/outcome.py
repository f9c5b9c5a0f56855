"""The outcome of an evaluation: figures, and the reason for each one that could not be measured."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ganflow.evaluation import bootstrap
from ganflow.evaluation.evidence.inputs import MetricInputs
from ganflow.evaluation.metrics.base import Measurement, Metric
from ganflow.evaluation.metrics.features import UnmeasurableError

OPTIONAL = ("generator", "accuracy_of", "pairs", "detection")  # inputs that samples may not have


@dataclass(frozen=True)
class Outcome:
    """Figures by name, and why others are left out."""

    figures: Mapping[str, Measurement] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_all(cls, outcomes: Iterable["Outcome"]) -> "Outcome":
        """Those of several metrics as one, in their order."""
        figures: dict[str, Measurement] = {}
        left_out: dict[str, str] = {}
        for outcome in outcomes:
            figures |= outcome.figures
            left_out |= outcome.left_out
        return cls(figures, left_out)


@dataclass(frozen=True)
class Protocol:
    """The protocol beside every figure; None and "" are not stated, as in figures of an earlier version."""

    samples: int | None = None
    reference: str = ""  # the split
    reference_samples: int | None = None
    extractor: str = ""
    extractor_accuracy: float | None = None
    seed: int | None = None
    reference_repeats: int | None = None  # reference images that repeat others


@dataclass(frozen=True)
class Evaluation(Outcome):
    """Figures with the protocol that they were measured by."""

    protocol: Protocol = field(default_factory=Protocol)


def outcome_of(name: str, metric: Metric, inputs: MetricInputs, resamples: int) -> Outcome:
    """The figures of a metric, with the bounds of its interval unless ``resamples`` is 0."""
    if lacking(inputs, [metric]):
        return Outcome({}, _needs(metric, {}))
    try:
        values = metric(*(getattr(inputs, name) for name in metric.needs))
        figures = {key: v if isinstance(v, Measurement) else Measurement(v) for key, v in values.items()}
        figures |= _bounded(metric, figures, inputs, resamples)
    except UnmeasurableError as error:
        return Outcome({}, dict.fromkeys(metric.figures, str(error).removeprefix(f"{name}: ")))
    return _finite(figures, _needs(metric, figures))


def lacking(inputs: MetricInputs, metrics: Iterable[Metric]) -> set[str]:
    """The inputs that these metrics need and these samples do not have; what is not needed is not made."""
    needed = {name for metric in metrics for name in metric.needs}
    return {name for name in OPTIONAL if name in needed and getattr(inputs, name) is None}


def _needs(metric: Metric, figures: Mapping[str, Measurement]) -> dict[str, str]:
    """The figures that a metric leaves out, with what they need."""
    return {name: f"needs {figure.needs}" for name, figure in metric.figures.items() if name not in figures}


def _bounded(
    metric: Metric, figures: Mapping[str, Measurement], inputs: MetricInputs, resamples: int
) -> dict[str, Measurement]:
    """The figure that has an interval, with it."""
    if not resamples or metric.bounded not in figures:
        return {}
    figure = figures[metric.bounded]
    counts = bootstrap.counts(len(inputs.samples), resamples).to(inputs.features.device)
    resampled = metric.resampled(*(getattr(inputs, name) for name in metric.needs), counts=counts)
    bounds = bootstrap.interval(figure.value, resampled, metric.smooth)
    return {metric.bounded: replace(figure, low=bounds.low, high=bounds.high)}


def _finite(figures: Mapping[str, Measurement], left_out: Mapping[str, str]) -> Outcome:
    """The finite figures; the rest is left out."""
    finite, broken = dict(figures), dict(left_out)
    for name, figure in figures.items():
        spread = {"low": figure.low, "high": figure.high, "std": figure.std}
        infinite = {part: value for part, value in spread.items() if value is not None and not math.isfinite(value)}
        if not math.isfinite(figure.value):
            del finite[name]
            broken[name] = f"came out as {figure.value}"
        elif infinite:
            finite[name] = Measurement(figure.value, **(spread | dict.fromkeys(infinite)))
            broken |= {f"{part} of {name}": f"came out as {value}" for part, value in infinite.items()}
    return Outcome(finite, broken)
