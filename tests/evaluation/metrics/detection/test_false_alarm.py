from dataclasses import replace

import numpy as np
import pytest
import torch

from ganflow.errors import ConfigError
from ganflow.evaluation import bootstrap
from ganflow.evaluation.metrics.detection.false_alarm import FalseAlarm
from ganflow.evaluation.metrics.features import UnmeasurableError
from tests.evaluation.metrics.detection.made import alone, detection, repeated


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.99])
def test_rates_are_those_above_numpy_s_quantile_of_the_held_out_scores(quantile: float) -> None:
    made = detection(400)
    above = made.scores.numpy() > np.quantile(made.held_out.numpy(), quantile)
    anomalous = made.anomalous.numpy()
    expected = {"threshold_alarm": above[~anomalous].mean(), "threshold_recall": above[anomalous].mean()}
    assert FalseAlarm(quantile)(made) == pytest.approx(expected, abs=1e-12)
    assert 0 < expected["threshold_alarm"] < expected["threshold_recall"] < 1


def test_a_score_at_the_threshold_is_not_an_alarm() -> None:
    made = replace(detection(4), scores=torch.tensor([1.0, 1.0, 0.0, 1.1]).double(), held_out=torch.ones(5).double())
    assert made.anomalous.tolist() == [True, False, False, True]
    assert FalseAlarm()(made) == {"threshold_alarm": 0, "threshold_recall": 0.5}


def test_of_normal_scores_like_the_held_out_ones_as_many_alarm_as_the_quantile_says() -> None:
    random = torch.Generator().manual_seed(0)
    scores, held_out = (torch.randn(20_000, generator=random, dtype=torch.float64) for _ in range(2))
    made = replace(detection(), scores=scores, anomalous=torch.arange(20_000) == 0, held_out=held_out)
    assert FalseAlarm(0.99)(made)["threshold_alarm"] == pytest.approx(0.01, abs=0.003)


def test_a_resample_s_recall_is_that_of_the_images_repeated() -> None:
    made, counts = detection(), bootstrap.counts(40, 20)
    expected = [FalseAlarm(0.8)(repeated(made, row))["threshold_recall"] for row in counts]
    assert len(set(expected)) > 5
    counts = torch.cat([counts, (~made.anomalous * 1.0).double()[None]])  # without anomalies there is no recall
    torch.testing.assert_close(FalseAlarm(0.8).resampled(made, counts).tolist(), expected, rtol=1e-12, atol=0)


def test_without_what_it_needs_nothing_is_said() -> None:
    made = detection()
    lines = {
        "the threshold needs normal images that are held out of training": replace(made, held_out=made.held_out[:0]),
        "scores of held-out images hold NaN or infinity; the model has diverged": replace(
            made, held_out=made.held_out * torch.nan
        ),
        "the test split has no anomalous images": alone(made, False),
    }
    for line, lacking in lines.items():
        with pytest.raises(UnmeasurableError) as refused:
            FalseAlarm()(lacking)
        assert str(refused.value) == line


@pytest.mark.parametrize("quantile", [0.0, 1.0])
def test_an_impossible_quantile_is_refused(quantile: float) -> None:
    with pytest.raises(ConfigError) as refused:
        FalseAlarm(quantile)
    assert str(refused.value) == f"quantile={quantile}: more than 0, less than 1"
