from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from ganflow.evaluation import bootstrap
from ganflow.evaluation.metrics.detection.pixel_auroc import PixelAUROC
from ganflow.evaluation.metrics.detection.scored import Detection
from ganflow.evaluation.metrics.features import UnmeasurableError
from tests.evaluation.metrics.detection.made import SIDE, alone, detection


def masks_of(made: Detection) -> torch.Tensor:
    assert made.masks is not None
    return made.masks


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("ties", [False, True])
def test_figures_are_those_of_scikit_learn(channels: int, ties: bool) -> None:
    made = detection(channels=channels, ties=ties)
    pca = PCA(0.9, svd_solver="full").fit(made.normal.double())
    errors = made.images.double().numpy() - pca.inverse_transform(pca.transform(made.images.double()))
    simple = (errors**2).reshape(40, channels, SIDE, SIDE).mean(1)
    truth = masks_of(made).flatten()
    expected = {
        "pixel_auroc": roc_auc_score(truth, made.maps.flatten()),
        "pixel_auroc_pca": roc_auc_score(truth, simple.ravel()),
    }
    assert PixelAUROC(pca_variance=0.9)(made) == pytest.approx(expected, abs=1e-6)


def test_a_resample_takes_whole_images() -> None:
    made, counts = detection(), bootstrap.counts(40, 10)
    truth, scores = masks_of(made).flatten(), made.maps.flatten()
    expected = [roc_auc_score(truth, scores, sample_weight=row.repeat_interleave(SIDE**2)) for row in counts]
    assert len(set(expected)) == 10
    counts = torch.cat([counts, (~made.anomalous * 1.0).double()[None]])  # without an anomalous pixel there is no area
    np.testing.assert_allclose(PixelAUROC().resampled(made, counts), expected, rtol=0, atol=1e-12)


def test_of_coarser_maps_the_components_say_nothing() -> None:
    made = detection()
    coarse = replace(made, maps=made.maps[:, ::2, ::2], masks=masks_of(made)[:, ::2, ::2])
    assert list(PixelAUROC()(coarse)) == ["pixel_auroc"]


def test_without_what_it_needs_nothing_is_said() -> None:
    made = detection()
    lines = {
        "the test split has no masks": replace(made, masks=None),
        "the masks of the test split have no anomalous pixels": alone(made, False),
        "the masks of the test split have no normal pixels": replace(made, masks=torch.ones_like(masks_of(made))),
        "anomaly maps hold NaN or infinity; the model has diverged": replace(made, maps=made.maps * torch.nan),
    }
    for line, lacking in lines.items():
        for measure in (lambda: PixelAUROC()(lacking), lambda: PixelAUROC().resampled(lacking, torch.ones(1, 40))):  # noqa: B023
            with pytest.raises(UnmeasurableError) as refused:
                measure()
            assert str(refused.value) == line
