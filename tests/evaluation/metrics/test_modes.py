import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from ganflow.errors import ConfigError, GanflowError
from ganflow.evaluation import bootstrap
from ganflow.evaluation.metrics.features import Features
from ganflow.evaluation.metrics.modes import Modes, reverse_kl
from tests.evaluation.metrics.test_coverage import recognised


def points_of(points: np.ndarray, centres: np.ndarray, sigma: float) -> Features:
    """Features as a definition: a mode's logit is its log-likelihood."""
    distances = np.sqrt(((points[:, None] - centres) ** 2).sum(2)) / sigma
    return Features(torch.tensor(points), torch.tensor(-0.5 * distances**2), torch.tensor(distances.min(1)))


def by_hand(points: np.ndarray, centres: np.ndarray, sigma: float) -> dict[str, float]:
    """The protocol, point by point."""
    counts, good = [0] * len(centres), 0
    for x, y in points:
        away = [math.hypot(x - a, y - b) for a, b in centres]
        if min(away) < 3 * sigma:
            counts[away.index(min(away))] += 1
            good += 1
    shares = [c / good for c in counts if c]
    kl = sum(p * math.log(p / (1 / len(centres))) for p in shares)
    return {"modes": len(shares), "high_quality": good / len(points), "reverse_kl": kl}


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_counted_point_by_point(seed: int) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-3, 3, (12, 2))  # some so close that their neighbourhoods overlap
    points = centres[rng.integers(0, 9, 400)] + rng.normal(0, 0.3, (400, 2)) * rng.uniform(0, 3, (400, 1))
    fake = points_of(points, centres, 0.3)
    figures = Modes()(fake, fake)
    assert figures == pytest.approx(by_hand(points, centres, 0.3), abs=1e-12)
    assert 0.5 < figures["high_quality"] < 1


CENTRES = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


@pytest.mark.parametrize(
    ("points", "modes", "high_quality", "kl"),
    [
        (CENTRES, 4, 1.0, 0.0),  # each as often
        (CENTRES[[2, 2, 2]], 1, 1.0, math.log(4)),  # one mode alone: the most there is
        (CENTRES[[0, 1, 0, 1]] + 0.02, 2, 1.0, math.log(2)),
        (CENTRES + 0.25, 0, 0.0, math.log(4)),  # none
        (np.array([[0.0, 0.0299], [0.0, 0.0301]]), 1, 0.5, math.log(4)),  # just within 3 σ, just beyond
        (np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 1.0]]), 2, 1.0, 0.75 * math.log(3) + 0.25 * math.log(1)),
    ],
)
def test_cases_that_a_person_can_check(points: np.ndarray, modes: int, high_quality: float, kl: float) -> None:
    fake = points_of(points, CENTRES, 0.01)
    expected = {"modes": modes, "high_quality": high_quality, "reverse_kl": pytest.approx(kl, abs=1e-12)}
    assert Modes()(fake, fake) == expected


def test_within_says_what_high_quality_is() -> None:
    fake = points_of(np.array([[0.0, 0.0], [0.0, 0.015], [0.0, 0.025], [0.0, 0.035]]), CENTRES, 0.01)
    assert [Modes(within)(fake, fake)["high_quality"] for within in (1, 2, 3, 4)] == [0.25, 0.5, 0.75, 1.0]


def test_of_images_every_sample_counts_and_quality_is_not_said() -> None:
    fake = recognised([30, 0, 10])
    kl = 0.75 * math.log(0.75 * 3) + 0.25 * math.log(0.25 * 3)
    assert Modes()(fake, fake) == {"modes": 2, "reverse_kl": pytest.approx(kl)}


def test_a_stack_of_digits_is_one_mode() -> None:
    digits = torch.tensor([[1, 0, 2], [1, 0, 2], [2, 1, 0], [0, 0, 0]])
    fake = Features(torch.zeros(4, 6), torch.nn.functional.one_hot(digits, 3).float())
    assert fake.classes == 27
    assert fake.recognised.tolist() == [11, 11, 21, 0]
    kl = 0.5 * math.log(0.5 * 27) + 2 * 0.25 * math.log(0.25 * 27)
    assert Modes()(fake, fake) == {"modes": 3, "reverse_kl": pytest.approx(kl)}


def test_the_divergence_is_from_uniform_and_in_this_direction() -> None:
    counts = np.random.default_rng(0).integers(0, 20, 50)
    uniform = np.full(50, 1 / 50)
    assert reverse_kl(torch.tensor(counts)) == pytest.approx(entropy(counts / counts.sum(), uniform))


def test_data_without_classes_get_no_figure() -> None:
    unlabelled = Features(torch.zeros(5, 3), torch.empty(5, 0))
    assert Modes()(unlabelled, unlabelled) == {}


def test_points_that_are_not_finite_are_refused() -> None:
    broken = points_of(np.array([[0.0, np.nan], [1.0, 0.0]]), CENTRES, 0.01)
    with pytest.raises(GanflowError) as refused:
        Modes()(broken, broken)
    assert str(refused.value) == "modes: features hold NaN or infinity; the generator has diverged"


def test_an_impossible_radius_is_refused() -> None:
    with pytest.raises(ConfigError) as refused:
        Modes(0.0)
    assert str(refused.value) == "within=0.0: must be more than 0"


def test_high_quality_varies_as_a_share_does() -> None:
    rng = np.random.default_rng(0)
    points = CENTRES[rng.integers(0, 4, 2000)] + rng.normal(0, 0.02, (2000, 2))
    fake = points_of(points, CENTRES, 0.01)
    share = Modes()(fake, fake)["high_quality"]
    resampled = Modes().resampled(fake, fake, bootstrap.counts(2000, 400))
    assert float(resampled.mean()) == pytest.approx(share, abs=0.003)
    assert float(resampled.std()) == pytest.approx(math.sqrt(share * (1 - share) / 2000), rel=0.15)
    once = torch.ones(1, 2000, dtype=torch.float64)
    assert float(Modes().resampled(fake, fake, once)) == pytest.approx(share, abs=1e-12)
