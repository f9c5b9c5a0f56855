import inspect

import pytest

from ganflow.config import components
from ganflow.evaluation.evidence.inputs import MetricInputs
from ganflow.evaluation.metrics.base import Metric

METRICS = components.choices("metric")


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_called_with_what_it_needs(name: str) -> None:
    metric = METRICS[name]
    assert issubclass(metric, Metric)
    parameters = list(inspect.signature(metric.__call__).parameters)
    assert parameters == ["self", *metric.needs]
    inputs = inspect.getmembers_static(MetricInputs)
    assert set(metric.needs) <= {input_ for input_, _ in inputs}


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_with_an_interval_resamples_its_figure(name: str) -> None:
    metric = METRICS[name]
    assert issubclass(metric, Metric)
    assert (metric.resampled is not Metric.resampled) == bool(metric.bounded)
    assert not metric.bounded or metric.bounded in metric.figures


def test_a_metric_says_what_it_does_not_declare() -> None:
    class Nothing(Metric):
        figures = {}  # noqa: RUF012

    with pytest.raises(TypeError, match="__call__"):
        Nothing()  # type: ignore[abstract]
