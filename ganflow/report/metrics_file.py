"""``reports/metrics.json``: an evaluation as flat names, which DVC, MLflow and plots read."""

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from itertools import groupby
from typing import Any

from ganflow import records
from ganflow.config import components
from ganflow.evaluation.metrics.base import Measurement, Metric
from ganflow.evaluation.outcome import Evaluation, Protocol

LEFT_OUT = "left_out"  # beside the figures: figure → why it is not there
LOW, HIGH, STD = SPREAD = ("_low", "_high", "_std")  # a name that ends so belongs to the figure before


def text(evaluation: Evaluation) -> str:
    """The file."""
    return records.text(contents(evaluation))


def contents(evaluation: Evaluation) -> dict[str, object]:
    """Figures, then the protocol, and what is left out if anything is."""
    left_out = {LEFT_OUT: dict(evaluation.left_out)} if evaluation.left_out else {}
    return flat(evaluation.figures) | asdict(evaluation.protocol) | left_out


def flat(figures: Mapping[str, Measurement]) -> dict[str, float]:
    """Figures as numbers by name: deviations beside their figures, bounds behind all figures of the metric."""
    metrics: Mapping[str, type[Metric]] = components.choices("metric")
    metric_of = {figure: name for name, metric in metrics.items() for figure in metric.figures}
    numbers: dict[str, float | None] = {}
    for _, names in groupby(figures, metric_of.get):
        group = {name: figures[name] for name in names}
        for name, figure in group.items():
            numbers |= {name: figure.value, name + STD: figure.std}
        for name, figure in group.items():
            numbers |= {name + LOW: figure.low, name + HIGH: figure.high}
    return {name: number for name, number in numbers.items() if number is not None}


def without_bounds(figures: Mapping[str, Measurement]) -> dict[str, float]:
    """The same without intervals."""
    return flat({name: replace(figure, low=None, high=None) for name, figure in figures.items()})


def parse(values: Mapping[str, Any]) -> Evaluation:
    """The evaluation of a file's contents; what a file of an earlier version lacks is not stated."""
    protocol = {f.name: values[f.name] for f in fields(Protocol) if values.get(f.name) is not None}
    numbers = {name: value for name, value in values.items() if name not in protocol and _is_number(value)}
    belongs = {name + end for name in numbers for end in SPREAD}
    figures = {
        name: Measurement(value, *(numbers.get(name + end) for end in SPREAD))
        for name, value in numbers.items()
        if name not in belongs
    }
    return Evaluation(figures, values.get(LEFT_OUT, {}), Protocol(**protocol))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
