import math
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from ganflow.config.schema import EvaluationConfig
from ganflow.data.prepared.dataset import Dataset
from ganflow.evaluation.build import build_evaluator
from ganflow.evaluation.inputs import MetricInputs
from ganflow.evaluation.metrics.base import Figure, Measurement, Metric
from ganflow.evaluation.metrics.features import Features
from ganflow.evaluation.outcome import Outcome, outcome_of
from ganflow.evaluation.samples import ImageSamples


class Fixed(Metric):
    """Gives what it was made with, and resamples that are all the same."""

    figures: ClassVar[Mapping[str, Figure]] = {"a": Figure("A", "", "A."), "b": Figure("B", "", "B.", "luck")}
    bounded = "a"

    def __init__(self, star: float = 3.0, **values: float | Measurement) -> None:
        self.star, self.values = star, values

    def __call__(self, fake: Features, real: Features) -> Mapping[str, float | Measurement]:
        return self.values

    def resampled(self, fake: Features, real: Features, counts: Tensor) -> Tensor:
        return torch.full((len(counts),), self.star)


@pytest.fixture
def inputs(digits: Path, cache: Path) -> MetricInputs:
    config = EvaluationConfig(extractor={"name": "pixels"})
    test = Dataset.open(digits, "test")
    return build_evaluator(config, digits, cache, torch.device("cpu")).inputs(ImageSamples(test, None))


def test_a_number_is_a_measurement_and_what_is_missing_has_its_reason(inputs: MetricInputs) -> None:
    assert outcome_of("fixed", Fixed(a=2.0), inputs, 0) == Outcome({"a": Measurement(2.0)}, {"b": "needs luck"})


def test_the_bounded_figure_keeps_its_deviation_beside_its_interval(inputs: MetricInputs) -> None:
    outcome = outcome_of("fixed", Fixed(a=Measurement(3.0, std=0.5), b=1.0), inputs, 10)
    assert outcome == Outcome({"a": Measurement(3.0, 3.0, 3.0, 0.5), "b": Measurement(1.0)})


def test_what_is_not_finite_is_left_out_a_figure_whole_and_a_bound_alone(inputs: MetricInputs) -> None:
    outcome = outcome_of("fixed", Fixed(math.inf, a=3.0, b=math.nan), inputs, 10)
    assert outcome.figures == {"a": Measurement(3.0)}
    assert set(outcome.left_out) == {"low of a", "high of a", "b"}
    assert outcome.left_out["b"] == "came out as nan"
