import numpy as np
import pytest
import torch
from sklearn.metrics import roc_curve
from torch import Tensor

from ganflow.evaluation import bootstrap
from ganflow.evaluation.metrics.detection.fpr95 import FPR95, false_positive_rate
from ganflow.evaluation.metrics.features import UnmeasurableError
from tests.evaluation.metrics.detection.made import alone, detection


def reference(scores: Tensor, anomalous: Tensor, weights: Tensor | None = None) -> float:
    fpr, tpr, _ = roc_curve(anomalous, scores, sample_weight=weights, drop_intermediate=False)
    return float(fpr[tpr >= 0.95].min())


@pytest.mark.parametrize("ties", [False, True])
def test_it_is_that_of_scikit_learn_s_curve_and_so_are_its_resamples(ties: bool) -> None:
    made, counts = detection(ties=ties), bootstrap.counts(40, 30)
    assert FPR95()(made) == {"fpr95": pytest.approx(reference(made.scores, made.anomalous), abs=1e-12)}
    stars = [reference(made.scores, made.anomalous, row) for row in counts]
    assert len(set(stars)) > 10
    np.testing.assert_allclose(FPR95().resampled(made, counts), stars, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n", [20, 60, 140, 1000])
def test_exactly_95_percent_are_enough(n: int) -> None:
    found = 19 * n // 20
    scores = torch.cat([torch.full((found,), 3.0), torch.zeros(n - found), torch.tensor([4.0, 1.0, 1.0, 1.0])])
    anomalous = torch.arange(n + 4) < n
    once = torch.ones(1, n + 4, dtype=torch.float64)
    assert false_positive_rate(scores, anomalous, once).tolist() == [0.25]


def test_resamples_of_one_kind_are_left_out() -> None:
    made = detection()
    counts = torch.stack([torch.ones(40), made.anomalous * 3, ~made.anomalous * 1.5]).double()
    assert FPR95().resampled(made, counts).tolist() == pytest.approx([FPR95()(made)["fpr95"]])


def test_test_images_of_one_kind_are_refused() -> None:
    with pytest.raises(UnmeasurableError, match="the test split has no anomalous images"):
        FPR95()(alone(detection(), False))
