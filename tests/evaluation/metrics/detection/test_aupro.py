from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ganflow.evaluation import bootstrap
from ganflow.evaluation.metrics.detection.aupro import AUPRO, region_weights, weighted_aupro
from ganflow.evaluation.metrics.detection.scored import Detection
from tests.evaluation.metrics.detection.made import detection, repeated

Mask = NDArray[np.bool_]


def regions(mask: Mask) -> list[Mask]:
    """The 8-connected regions, grown pixel by pixel."""
    left = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    grown: list[Mask] = []
    while left:
        edge, region = [left.pop()], np.zeros_like(mask)
        while edge:
            y, x = edge.pop()
            region[y, x] = True
            touching = {(y + dy, x + dx) for dy, dx in product((-1, 0, 1), repeat=2)} & left
            left -= touching
            edge += touching
        grown.append(region)
    return grown


def by_definition(made: Detection, limit: float = 0.3) -> float:
    """The area by every threshold in turn, each region by itself."""
    assert made.masks is not None
    maps, masks = made.maps.numpy(), made.masks.numpy()
    of_images = [(i, region) for i, mask in enumerate(masks) for region in regions(mask)]
    points = [(0.0, 0.0)]
    for threshold in np.unique(maps)[::-1]:
        passed = maps >= threshold
        overlap = np.mean([passed[i][region].mean() for i, region in of_images])
        points.append((float(passed[~masks].mean()), float(overlap)))
    x, y = np.array(points).T
    within = x <= limit
    y_limit = np.interp(limit, x, y)
    return float(np.trapezoid([*y[within], y_limit], [*x[within], limit])) / limit


@pytest.mark.parametrize("ties", [False, True])
def test_it_is_that_of_every_threshold_in_turn(ties: bool) -> None:
    made = detection(15, ties=ties)
    assert AUPRO()(made)["aupro"] == pytest.approx(by_definition(made), abs=1e-9)


def test_a_resample_s_figure_is_that_of_the_images_repeated() -> None:
    made, counts = detection(12), bootstrap.counts(12, 6)
    expected = [by_definition(repeated(made, row)) for row in counts]
    assert len(set(expected)) == 6
    counts = torch.cat([counts, (~made.anomalous * 1.0).double()[None]])  # without a region there is no overlap
    np.testing.assert_allclose(AUPRO().resampled(made, counts), expected, rtol=0, atol=1e-9)


def test_a_small_region_counts_as_much_as_a_large_one() -> None:
    masks = torch.zeros(1, 10, 10, dtype=torch.bool)
    masks[0, 0, 0] = True
    masks[0, 4:8, 4:8] = True
    once = torch.ones(1, 1, dtype=torch.float64)
    only_large = torch.zeros(1, 10, 10)
    only_large[0, 4:8, 4:8] = 1
    # Half of the regions at no alarm; then all the rest passes at once, on a line to (1, 1).
    assert weighted_aupro(only_large, masks, once).tolist() == pytest.approx([0.5 + 0.5 * 0.3 / 2])
    assert weighted_aupro(masks.float(), masks, once).tolist() == pytest.approx([1])


def test_pixels_that_touch_at_a_corner_are_of_one_region() -> None:
    mask = torch.tensor([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 1]]).bool()
    expected = [[1 / 2, 0, 0, 1], [0, 1 / 2, 0, 0], [0, 0, 0, 1 / 2], [1, 0, 0, 1 / 2]]
    assert region_weights(torch.stack([mask, torch.zeros_like(mask)])).tolist() == [expected, [[0] * 4] * 4]


def test_the_components_have_their_figure_beside_it() -> None:
    made = detection()
    figures = AUPRO()(made)
    assert list(figures) == ["aupro", "aupro_pca"]
    assert 0 < figures["aupro"] < figures["aupro_pca"] <= 1  # the squares are plain to see
