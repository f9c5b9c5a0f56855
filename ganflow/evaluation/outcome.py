"""What came of an evaluation: figures, and the reason for each one that could not be measured."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ganflow.evaluation import bootstrap
from ganflow.evaluation.inputs import MetricInputs
from ganflow.evaluation.metrics.base import Metric
from ganflow.evaluation.metrics.features import UnmeasurableError

LEFT_OUT = "left_out"  # beside the figures in ``metrics.json``: figure → why it is not there


@dataclass(frozen=True)
class Outcome:
    """Figures by name, with their bounds, and why others are left out."""

    figures: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_all(cls, outcomes: Iterable["Outcome"]) -> "Outcome":
        """Those of several metrics as one, in their order."""
        several = list(outcomes)
        figures = {name: value for one in several for name, value in one.figures.items()}
        return cls(figures, {name: why for one in several for name, why in one.left_out.items()})


def outcome_of(name: str, metric: Metric, inputs: MetricInputs, resamples: int) -> Outcome:
    """What a metric says of its inputs, with the bounds of its interval unless ``resamples`` is 0."""
    if lacking(inputs) & {*metric.needs}:
        return Outcome({}, _needs(metric, {}))
    try:
        figures = metric(*(getattr(inputs, name) for name in metric.needs))
        figures |= _bounds(metric, figures, inputs, resamples)
    except UnmeasurableError as error:
        return Outcome({}, dict.fromkeys(metric.figures, str(error).removeprefix(f"{name}: ")))
    finite = {key: value for key, value in figures.items() if math.isfinite(value)}
    broken = {key: f"came out as {value}" for key, value in figures.items() if key not in finite}
    return Outcome(finite, _needs(metric, figures) | broken)


def lacking(inputs: MetricInputs) -> set[str]:
    """What a metric may ask for and these samples do not have."""
    return {name for name in ("generator", "accuracy_of") if getattr(inputs, name) is None}


def why_missing(figure: str, values: Mapping[str, Any]) -> str | None:
    """Why an evaluation's values lack a figure; None where it is there, or was not asked for."""
    left_out: Mapping[str, str] = values.get(LEFT_OUT, {})
    return left_out.get(figure)


def _needs(metric: Metric, figures: Mapping[str, float]) -> dict[str, str]:
    """The figures that a metric leaves out, with what they need."""
    return {name: f"needs {figure.needs}" for name, figure in metric.figures.items() if name not in figures}


def _bounds(metric: Metric, figures: Mapping[str, float], inputs: MetricInputs, resamples: int) -> dict[str, float]:
    bounded = metric.bounded
    if not resamples or bounded not in figures:
        return {}
    counts = bootstrap.counts(len(inputs.fake), resamples).to(inputs.fake.embeddings.device)
    resampled = metric.resampled(inputs.fake, inputs.real, counts)
    found = bootstrap.interval(figures[bounded], resampled, metric.smooth)
    return {f"{bounded}_low": found.low, f"{bounded}_high": found.high}
