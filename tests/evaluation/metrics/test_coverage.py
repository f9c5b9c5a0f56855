import numpy as np
import pytest
import torch
from scipy.stats import entropy

from ganflow.errors import ConfigError, GanflowError
from ganflow.evaluation.metrics.coverage import ClassCoverage
from ganflow.evaluation.metrics.features import Features


def recognised(counts: list[int], classes: int | None = None) -> Features:
    """Features of images of which ``counts[k]`` are recognised as class k."""
    of = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    logits = torch.nn.functional.one_hot(of, classes or len(counts)).float()
    return Features(torch.zeros(len(of), 3), logits)


def coverage(fake: list[int], real: list[int], threshold: float = 0.25) -> dict[str, float]:
    return ClassCoverage(threshold)(recognised(fake), recognised(real))


@pytest.mark.parametrize(
    ("fake", "real", "threshold", "expected"),
    [
        ([10] * 10, [100] * 10, 0.25, 1.0),  # all
        ([10] * 7 + [0] * 3, [100] * 10, 0.25, 0.7),  # three of ten are dropped
        ([100, 0], [50, 50], 0.25, 0.5),  # collapsed on one
        ([875, 125], [500, 500], 0.25, 1.0),  # just at a quarter of its share
        ([876, 124], [500, 500], 0.25, 0.5),  # just below
        ([50, 40, 10], [90, 9, 1], 1.0, 2 / 3),  # shares, not counts: 0.5 < 0.9
        ([50, 50, 0], [50, 50, 0], 0.25, 1.0),  # a class that the reference lacks does not count
        ([40, 40, 20], [50, 50, 0], 0.25, 1.0),
    ],
)
def test_a_class_is_covered_when_its_share_is_large_enough(
    fake: list[int], real: list[int], threshold: float, expected: float
) -> None:
    assert coverage(fake, real, threshold)["coverage"] == pytest.approx(expected)


def test_the_divergence_is_scipy_s_with_half_a_count_more_of_every_class() -> None:
    rng = np.random.default_rng(0)
    fake, real = rng.integers(0, 20, 30), rng.integers(0, 9, 30)
    assert 0 in real
    figures = coverage(fake.tolist(), real.tolist())
    expected = entropy(fake / fake.sum(), (real + 0.5) / (real + 0.5).sum())
    assert figures["class_reverse_kl"] == pytest.approx(expected, rel=1e-12)


def test_the_divergence_grows_as_classes_are_lost() -> None:
    real = [1000] * 10
    lost = [coverage([100] * k + [0] * (10 - k), real)["class_reverse_kl"] for k in (10, 5, 1)]
    np.testing.assert_allclose(lost, np.log([1, 2, 10]), atol=1e-12)


def test_a_resample_s_figure_is_that_of_the_samples_repeated() -> None:
    rng = np.random.default_rng(1)
    fake, real = recognised([30, 5, 4, 1]), recognised([10, 10, 10, 10])
    counts = torch.from_numpy(rng.multinomial(40, np.full(40, 1 / 40), 20))
    repeated = [
        recognised(np.bincount(np.repeat(fake.recognised.numpy(), row.numpy()), minlength=4).tolist()) for row in counts
    ]
    expected = [ClassCoverage()(r, real)["coverage"] for r in repeated]
    assert len(set(expected)) > 1
    np.testing.assert_allclose(ClassCoverage().resampled(fake, real, counts.double()), expected, rtol=1e-12)


def test_data_without_classes_get_no_figure() -> None:
    unlabelled = Features(torch.zeros(5, 3), torch.empty(5, 0))
    assert ClassCoverage()(unlabelled, unlabelled) == {}


def test_features_that_are_not_finite_are_refused() -> None:
    broken = recognised([2, 2])
    broken.embeddings[1, 0] = float("nan")
    with pytest.raises(GanflowError) as refused:
        ClassCoverage()(broken, recognised([2, 2]))
    assert str(refused.value) == "coverage: features hold NaN or infinity; the generator has diverged"


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.1])
def test_an_impossible_threshold_is_refused(threshold: float) -> None:
    with pytest.raises(ConfigError) as refused:
        ClassCoverage(threshold)
    assert str(refused.value) == f"threshold={threshold}: more than 0, at most 1"
