import numpy as np
import pytest
import torch
from sklearn.metrics import roc_curve

from ganflow.evaluation.metrics.detection.ranking import Ranking, area
from tests.evaluation.metrics.detection.made import detection


def test_shares_that_pass_are_those_of_sklearn_s_curve() -> None:
    made = detection(200)
    weights = torch.randint(0, 4, (3, 200), generator=torch.Generator().manual_seed(0)).double()
    ranking = Ranking.of(made.scores)
    hits, alarms = ranking.passed(weights * made.anomalous), ranking.passed(weights * ~made.anomalous)
    assert hits.shape[1] == 1 + len(made.scores.unique()) < 200
    for row, y, x in zip(weights, hits, alarms, strict=True):
        fpr, tpr, _ = roc_curve(made.anomalous, made.scores, sample_weight=row, drop_intermediate=False)
        points = torch.stack([x, y]).unique(dim=1)  # of thresholds without weight there may be fewer
        np.testing.assert_allclose(points, np.unique([fpr, tpr], axis=1), rtol=0, atol=1e-12)


def test_corners_are_enough_for_the_area() -> None:
    made = detection(400)
    weights = torch.randint(0, 4, (3, 400), generator=torch.Generator().manual_seed(1)).double()
    rare = made.anomalous & (torch.arange(400) % 5 == 0)
    whole = Ranking.of(made.scores)
    thin = whole.at_corners(rare.double())
    assert 0 < len(thin.ends) < len(whole.ends)
    areas = [area(r.passed(weights * ~rare), r.passed(weights * rare), 0.3) for r in (whole, thin)]
    torch.testing.assert_close(*areas, rtol=0, atol=1e-12)


@pytest.mark.parametrize("limit", [0.1, 0.25, 0.3, 0.7, 1.0])
def test_an_area_up_to_a_limit_is_that_of_a_fine_grid(limit: float) -> None:
    x = torch.tensor([[0, 0, 0.25, 0.5, 0.5, 1]], dtype=torch.float64)
    y = torch.tensor([[0, 0.2, 0.3, 0.7, 0.9, 1]], dtype=torch.float64)
    middles = (np.arange(700_000) + 0.5) / 700_000 * limit
    expected = np.interp(middles, [0, 0.25, 0.5], [0.2, 0.3, 0.7]) * (middles < 0.5)
    expected += np.interp(middles, [0.5, 1], [0.9, 1]) * (middles >= 0.5)
    assert area(x, y, limit).tolist() == pytest.approx([expected.mean()], abs=1e-6)
