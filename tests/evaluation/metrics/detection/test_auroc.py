import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from ganflow.errors import ConfigError
from ganflow.evaluation import bootstrap
from ganflow.evaluation.metrics.detection.auroc import AUROC, weighted_auroc
from ganflow.evaluation.metrics.features import UnmeasurableError
from tests.evaluation.metrics.detection.made import alone, detection, repeated


@pytest.mark.parametrize("ties", [False, True])
def test_figures_are_those_of_scikit_learn(ties: bool) -> None:
    made = detection(ties=ties)
    pca = PCA(0.95, svd_solver="full").fit(made.normal.double())
    rebuilt = pca.inverse_transform(pca.transform(made.images.double()))
    scores = {
        "auroc": made.scores,
        "auroc_pca": ((made.images.double().numpy() - rebuilt) ** 2).sum(1),
        "auroc_nearest": cdist(made.images.double(), made.normal.double()).min(1),
    }
    expected = {name: roc_auc_score(made.anomalous, x) for name, x in scores.items()}
    assert AUROC()(made) == pytest.approx(expected, abs=1e-12)
    assert len(set(expected.values())) == 3


def test_pca_may_be_scored_as_the_model_is() -> None:
    made = detection()
    pca = PCA(0.95, svd_solver="full").fit(made.normal.double())
    rebuilt = pca.inverse_transform(pca.transform(made.images.double()))
    largest = np.abs(made.images.double().numpy() - rebuilt).max(1)
    rescored = replace(made, rescore=lambda images, again: (images - again).abs().amax(1))
    figures = AUROC()(rescored)
    assert figures["auroc_pca_scored"] == pytest.approx(roc_auc_score(made.anomalous, largest), abs=1e-12)
    assert {name: figures[name] for name in AUROC()(made)} == AUROC()(made)


@pytest.mark.parametrize("ties", [False, True])
def test_the_resamples_are_scikit_learn_s_with_weights(ties: bool) -> None:
    made, counts = detection(ties=ties), bootstrap.counts(40, 30)
    expected = [roc_auc_score(made.anomalous, made.scores, sample_weight=row) for row in counts]
    assert len(set(expected)) > 20
    np.testing.assert_allclose(AUROC().resampled(made, counts), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(AUROC().resampled(made, counts)[0], AUROC()(repeated(made, counts[0]))["auroc"])


def test_resamples_of_one_kind_are_left_out() -> None:
    made = detection()
    counts = torch.stack([torch.ones(40), made.anomalous * 3, ~made.anomalous * 1.5]).double()
    assert AUROC().resampled(made, counts).tolist() == pytest.approx([AUROC()(made)["auroc"]])


def test_order_alone_counts_and_scores_that_are_equal_are_worth_a_half() -> None:
    anomalous = torch.tensor([True, False, False, True])
    once = torch.ones(1, 4, dtype=torch.float64)
    for scores, expected in (([3, 1, 0, 2], 1), ([1, 2, 3, 0], 0), ([5, 5, 5, 5], 0.5), ([2, 2, 1, 0], 0.375)):
        assert weighted_auroc(torch.tensor(scores).double(), anomalous, once).tolist() == [expected]


@pytest.mark.parametrize(("kept", "lacks"), [(True, "normal"), (False, "anomalous")])
def test_test_images_of_one_kind_are_refused(kept: bool, lacks: str) -> None:
    with pytest.raises(UnmeasurableError) as refused:
        AUROC()(alone(detection(), kept))
    assert str(refused.value) == f"the test split has no {lacks} images"


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_scores_that_are_not_finite_are_refused(broken: float) -> None:
    made = detection()
    scores = made.scores.clone()
    scores[3] = broken
    with pytest.raises(UnmeasurableError, match="hold NaN or infinity; the model has diverged"):
        AUROC()(replace(made, scores=scores))


@pytest.mark.parametrize("share", [0.0, 1.0, 2.0])
def test_an_impossible_share_of_variance_is_refused(share: float) -> None:
    with pytest.raises(ConfigError) as refused:
        AUROC(pca_variance=share)
    assert str(refused.value) == f"pca_variance={share}: more than 0, at most 0.999"
