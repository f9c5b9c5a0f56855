from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA

from ganflow.evaluation.metrics.detection.simple_detectors import nearest_normal, pca_residuals, principal_axes
from tests.evaluation.metrics.detection.made import detection


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("values", [60, 432], ids=["fewer values than images", "more"])
def test_residuals_are_those_of_scikit_learn(share: float, values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = detection(channels=3)
    made = replace(made, images=made.images[:, :values], normal=made.normal[:, :values])
    monkeypatch.setattr("ganflow.evaluation.metrics.detection.simple_detectors.ROWS", 17)
    pca = PCA(share, svd_solver="full").fit(made.normal.double())
    rebuilt = pca.inverse_transform(pca.transform(made.images.double()))
    _, axes = principal_axes(made.normal, share)
    assert axes.shape == (values, pca.n_components_)
    residuals = pca_residuals(made.images, made.normal, share)
    np.testing.assert_allclose(residuals, (made.images.double().numpy() - rebuilt) ** 2, rtol=1e-6, atol=1e-9)


def test_of_wide_images_some_represent_all(monkeypatch: pytest.MonkeyPatch) -> None:
    made = detection()
    _, of_all = principal_axes(made.normal, 0.5)
    monkeypatch.setattr("ganflow.evaluation.metrics.detection.simple_detectors.LARGE", 30)
    _, of_some = principal_axes(made.normal, 0.5)
    overlap = torch.linalg.svdvals(of_all.T @ of_some)
    assert of_some.shape == of_all.shape == (144, 2)
    assert 0.98 < overlap.min() <= overlap.max() < 1 - 1e-6


def test_images_that_are_all_the_same_have_no_component() -> None:
    mean, axes = principal_axes(torch.full((5, 4), 0.25), 0.95)
    assert (mean.tolist(), axes.shape) == ([0.25] * 4, (4, 0))
    assert pca_residuals(torch.zeros(1, 4), torch.full((5, 4), 0.25), 0.95).tolist() == [[0.0625] * 4]


def test_the_nearest_image_is_scipy_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganflow.evaluation.metrics.detection.simple_detectors.ROWS", 17)
    monkeypatch.setattr("ganflow.evaluation.metrics.precision_recall.BLOCK", 100)
    made = detection()
    expected = cdist(made.images.double(), made.normal.double(), "sqeuclidean").min(1)
    np.testing.assert_allclose(nearest_normal(made.images, made.normal), expected, rtol=1e-9)
