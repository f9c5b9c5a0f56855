import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from ganflow.config.schema import EvaluationConfig
from ganflow.data.prepared.dataset import Dataset
from ganflow.evaluation.build import build_evaluator
from ganflow.evaluation.evidence.inputs import MetricInputs
from ganflow.evaluation.evidence.samples import ImageSamples
from ganflow.evaluation.metrics.base import Figure, Measurement, Metric
from ganflow.evaluation.metrics.detection.auroc import AUROC
from ganflow.evaluation.metrics.detection.scored import Detection
from ganflow.evaluation.metrics.features import Features
from ganflow.evaluation.metrics.restoration.pairs import Pairs
from ganflow.evaluation.metrics.restoration.psnr import PSNR
from ganflow.evaluation.outcome import Outcome, lacking, outcome_of
from tests.evaluation.metrics.detection.made import detection
from tests.evaluation.metrics.restoration.made import pairs


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


class WithEvidence(ImageSamples):
    """Images of which a model's restorations and scores are known, which is counted."""

    asked = 0

    def __len__(self) -> int:
        return 40

    @property
    def pairs(self) -> Pairs:  # type: ignore[override]
        self.asked += 1
        return pairs(40)

    @property
    def detection(self) -> Detection:  # type: ignore[override]
        self.asked += 1
        return replace(detection(40), rescore=lambda images, again: (images - again).abs().amax(1))


def inputs_of(kind: type[ImageSamples], digits: Path, cache: Path) -> MetricInputs:
    config = EvaluationConfig(extractor={"name": "pixels"})
    test = Dataset.open(digits, "test")
    return build_evaluator(config, digits, cache, torch.device("cpu")).inputs(kind(test, None))


@pytest.fixture
def inputs(digits: Path, cache: Path) -> MetricInputs:
    return inputs_of(ImageSamples, digits, cache)


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


@pytest.mark.parametrize(("name", "metric"), [("psnr", PSNR()), ("auroc", AUROC())])
def test_evidence_of_a_task_gives_figures_and_the_model_s_has_an_interval(
    name: str, metric: Metric, digits: Path, cache: Path
) -> None:
    outcome = outcome_of(name, metric, inputs_of(WithEvidence, digits, cache), 50)
    assert (list(outcome.figures), outcome.left_out) == (list(metric.figures), {})
    model, *simple = outcome.figures.values()
    assert model.low is not None
    assert model.high is not None
    assert model.low < model.value < model.high
    assert [figure.low for figure in simple] == [None] * len(simple)


def test_samples_without_evidence_say_what_the_figures_need(inputs: MetricInputs) -> None:
    restores, detects = "needs a model that restores images", "needs a model that detects anomalies"
    assert outcome_of("psnr", PSNR(), inputs, 0) == Outcome({}, {"psnr": restores, "psnr_simple": restores})
    assert outcome_of("auroc", AUROC(), inputs, 0) == Outcome({}, dict.fromkeys(AUROC.figures, detects))
    assert lacking(inputs, [PSNR(), AUROC(), Fixed()]) == {"pairs", "detection"}


def test_evidence_that_no_metric_needs_is_not_made(digits: Path, cache: Path) -> None:
    samples = inputs_of(WithEvidence, digits, cache)
    assert lacking(samples, [Fixed()]) == set()
    assert isinstance(samples.samples, WithEvidence)
    assert samples.samples.asked == 0
    assert lacking(samples, [PSNR(), Fixed()]) == set()
    assert samples.samples.asked == 1
