from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import scipy.linalg
import torch

from ganflow.evaluation.bootstrap import Interval, counts, interval
from ganflow.evaluation.metrics.coverage import ClassCoverage
from ganflow.evaluation.metrics.features import Features
from ganflow.evaluation.metrics.fid import FID
from ganflow.evaluation.metrics.kid import KID

pytestmark = pytest.mark.slow

Array = npt.NDArray[np.float64]

TRIALS = 200


def features(x: Array) -> Features:
    return Features(torch.from_numpy(x), torch.empty(len(x), 0))


def test_counts_are_multinomial_and_the_same_each_time() -> None:
    drawn = counts(20, 20_000)
    assert (drawn.shape, drawn.dtype) == ((20_000, 20), torch.float64)
    assert drawn.sum(1).unique().tolist() == [20]
    np.testing.assert_allclose(drawn.mean(0), np.ones(20), atol=0.04)
    np.testing.assert_allclose(np.cov(drawn.T), np.eye(20) - 1 / 20, atol=0.06)  # n p (1 − p) and −n p²
    assert torch.equal(drawn[:10], counts(20, 10))


def test_an_interval_is_the_formula() -> None:
    stars = torch.tensor([1.0, 2.0, 4.0, 5.0])
    found = interval(3.5, stars)
    error = float(np.std(stars.numpy(), ddof=1))
    assert found == Interval(pytest.approx(4 - 1.96 * error), pytest.approx(4 + 1.96 * error), pytest.approx(error))


def test_the_interval_of_a_mean_is_the_textbook_s() -> None:
    x = np.random.default_rng(0).normal(3, 2, 400)
    found = interval(float(x.mean()), counts(400, 4000) @ torch.from_numpy(x) / 400)
    assert found.error == pytest.approx(x.std() / 20, rel=0.05)
    assert (found.low + found.high) / 2 == pytest.approx(x.mean(), abs=0.01)


def test_bias_is_taken_out() -> None:
    """The variance that divides by n is too small by 1/n of itself."""
    x = np.random.default_rng(1).normal(0, 1, 10)
    weights = counts(10, 40_000).numpy() / 10
    stars = weights @ x**2 - (weights @ x) ** 2
    found = interval(float(x.var()), torch.from_numpy(stars))
    assert (found.low + found.high) / 2 == pytest.approx(x.var() * (1 + 1 / 10), rel=0.01)


def share_of_trials(trial: Callable[[np.random.Generator], tuple[float, Interval]]) -> float:
    """How often an interval holds the truth."""
    found = [trial(np.random.default_rng(seed)) for seed in range(TRIALS)]
    return float(np.mean([i.low <= truth <= i.high for truth, i in found]))


@pytest.mark.parametrize("shift", [0.3, 1.0])
def test_the_interval_of_fid_holds_the_distance_of_the_gaussian(shift: float) -> None:
    """The truth is eq. 6 of Heusel et al. (2017) between the law of the samples and the reference's own moments."""
    rng = np.random.default_rng(100)
    real = rng.normal(0, 1, (500, 4)) @ rng.normal(0, 1, (4, 4))
    mean, mix = np.full(4, shift), rng.normal(0, 1, (4, 4))
    cov, cov_real = mix.T @ mix, np.cov(real, rowvar=False)
    root = np.real(scipy.linalg.sqrtm(cov @ cov_real))
    truth = float(((mean - real.mean(0)) ** 2).sum() + np.trace(cov + cov_real - 2 * root))
    resamples, metric, reference = counts(200, 100), FID(), features(real)

    def trial(rng: np.random.Generator) -> tuple[float, Interval]:
        fake = features(rng.normal(0, 1, (200, 4)) @ mix + mean)
        return truth, interval(metric(fake, reference)["fid"], metric.resampled(fake, reference, resamples))

    assert 0.9 <= share_of_trials(trial) <= 0.985


def test_the_interval_of_kid_holds_that_of_all_samples_there_can_be() -> None:
    """Samples are of a finite law, so the truth is a sum over its support."""
    rng = np.random.default_rng(101)
    real, support = rng.normal(0, 1, (150, 5)), rng.normal(0.3, 1, (300, 5))
    p = rng.dirichlet(np.ones(300))

    def k(a: Array, b: Array) -> Array:
        kernel: Array = (a @ b.T / 5 + 1) ** 3
        return kernel

    among_real = k(real, real).sum() - np.trace(k(real, real))
    truth = float(p @ k(support, support) @ p + among_real / (150 * 149) - 2 * (p @ k(support, real)).mean())
    resamples, metric, reference = counts(200, 100), KID(20, 100), features(real)

    def trial(rng: np.random.Generator) -> tuple[float, Interval]:
        fake = features(support[rng.choice(300, 200, p=p)])
        return truth, interval(metric(fake, reference)["kid"].value, metric.resampled(fake, reference, resamples))

    assert 0.9 <= share_of_trials(trial) <= 0.985


SHARES = [
    [0.3, 0.3, 0.1, 0.1, 0.05, 0.05, 0.04, 0.03, 0.02, 0.01],
    [0.4, 0.3, 0.1, 0.1, 0.05, 0.04, 0.007, 0.001, 0.001, 0.001],
]


@pytest.mark.parametrize(("p", "truth"), [(SHARES[0], 0.8), (SHARES[1], 0.6)])
def test_the_interval_of_coverage_holds_that_of_all_samples_there_can_be(p: list[float], truth: float) -> None:
    """A class is covered by a share of 0.025. Steps make the interval wide: nothing bounds its share from above."""
    classes = torch.eye(10)
    reference = Features(torch.zeros(1000, 1), classes.repeat(100, 1))
    resamples, metric = counts(400, 100), ClassCoverage()

    def trial(rng: np.random.Generator) -> tuple[float, Interval]:
        fake = Features(torch.zeros(400, 1), classes[torch.from_numpy(rng.choice(10, 400, p=np.divide(p, sum(p))))])
        stars = metric.resampled(fake, reference, resamples)
        return truth, interval(metric(fake, reference)["coverage"], stars, metric.smooth)

    assert share_of_trials(trial) >= 0.93


def test_a_figure_of_steps_gets_percentiles() -> None:
    stars = torch.from_numpy(np.random.default_rng(2).permutation(np.arange(201) / 200))
    found = interval(0.3, stars, smooth=False)
    assert (found.low, found.high) == (pytest.approx(0.025), pytest.approx(0.975))
    assert found.error == pytest.approx(float(np.std(stars.numpy(), ddof=1)))
