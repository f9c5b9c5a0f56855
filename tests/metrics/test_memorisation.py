import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import hypergeom

from ganflow.errors import GanflowError
from ganflow.metrics.features import Features
from ganflow.metrics.memorisation import Memorisation, nearest, tail

Array = npt.NDArray[np.float64]


def drawn(n: int, seed: int, size: int = 4) -> Array:
    return np.random.default_rng(seed).normal(0, 1, (n, size))


def features(x: Array) -> Features:
    return Features(torch.from_numpy(x), torch.empty(len(x), 0))


def figures(fake: Array, train: Array, test: Array | None = None) -> dict[str, float]:
    return Memorisation()(features(fake), features(train), None if test is None else features(test))


def by_definition(fake: Array, train: Array) -> tuple[Array, Array]:
    away, among = cdist(fake, train), cdist(train, train)
    np.fill_diagonal(among, np.inf)
    neighbours = away.argmin(1)
    return away.min(1) / among.min(1)[neighbours], neighbours


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_ratios_and_neighbours_are_scipy_s(offset: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganflow.metrics.prdc.BLOCK", 2000)
    fake, train = drawn(130, 0) + offset, drawn(150, 1) + offset
    ratios, neighbours = nearest(features(fake), features(train))
    expected, rows = by_definition(fake, train)
    np.testing.assert_array_equal(neighbours, rows)
    np.testing.assert_allclose(ratios, expected, rtol=1e-9)


def test_features_of_float32_are_compared_exactly() -> None:
    train = torch.from_numpy(drawn(50, 2)).float() + 100
    ratios, neighbours = nearest(Features(train[7:9], train[:2, :0]), Features(train, train[:, :0]))
    assert (ratios.tolist(), neighbours.tolist()) == ([0, 0], [7, 8])


def test_a_copy_of_a_train_image_that_has_a_twin_is_a_copy_too() -> None:
    train = np.concatenate([drawn(20, 3), [[9.0, 9, 9, 9]] * 2])
    ratios, _ = nearest(features(np.array([[9.0, 9, 9, 9], [9.0, 9, 9, 9.1]])), features(train))
    assert ratios.tolist() == [0, np.inf]


def test_authenticity_is_the_share_that_is_no_nearer_than_train_images_are() -> None:
    fake, train = drawn(100, 4), drawn(80, 5)
    expected = (by_definition(fake, train)[0] >= 1).mean()
    assert 0 < expected < 1
    assert figures(fake, train) == {"authenticity": pytest.approx(expected)}
    assert figures(fake, train, drawn(0, 0)) == {"authenticity": pytest.approx(expected)}


def test_replayed_train_images_are_flagged() -> None:
    train = drawn(1000, 6)
    replayed = figures(train[:500], train, drawn(300, 7))
    assert (replayed["authenticity"], replayed["memorised"]) == (0, 1)
    assert replayed["memorisation_p"] < 1e-9


def test_a_tenth_of_copies_among_honest_samples_is_flagged() -> None:
    train = drawn(1000, 8)
    honest = drawn(450, 9)
    found = figures(np.concatenate([honest, train[:50]]), train, drawn(300, 10))
    assert found["memorisation_p"] < 0.01
    assert found["memorised"] > 0.1


def test_honest_samples_are_flagged_no_oftener_than_p_says() -> None:
    """Halves of one law: p is below α in at most a share α of the trials, and not only ever large."""
    train = drawn(300, 11)
    trials = np.array([_of_halves(np.random.default_rng(seed), train) for seed in range(200)])
    memorised, p = trials.T
    assert (p < 0.05).mean() <= 0.08
    assert (p < 0.5).mean() > 0.3
    assert memorised.mean() == pytest.approx(5 / 101, abs=0.01)  # the 5th smallest of 100 is on average at 5/101


def _of_halves(rng: np.random.Generator, train: Array) -> tuple[float, float]:
    halves = rng.normal(0, 1, (2, 100, 4))
    found = figures(halves[0], train, halves[1])
    return found["memorised"], found["memorisation_p"]


@pytest.mark.parametrize("x", [0, 1, 3, 40, 100])
@pytest.mark.parametrize(("k", "tests"), [(1, 1), (5, 100), (20, 359), (500, 10_000)])
def test_the_tail_is_scipy_s(x: int, k: int, tests: int) -> None:
    for samples in (100, 10_000):
        expected = hypergeom.sf(x - 1, samples + tests, samples, x + k - 1) if x else 1.0
        assert tail(x, k, samples, tests) == pytest.approx(expected, rel=1e-7)


def test_the_tail_is_that_of_simulated_ranks() -> None:
    rng = np.random.default_rng(12)
    below = []
    for _ in range(20_000):
        values = rng.permutation(30)  # the first 18 are samples, the others test images
        below.append((values[:18] < np.sort(values[18:])[2]).sum())
    for x in range(1, 12):
        expected = np.mean(np.array(below) >= x)
        assert tail(x, 3, 18, 12) == pytest.approx(expected, abs=4 * (expected * (1 - expected) / 20_000) ** 0.5)


def test_a_train_split_of_one_image_is_refused() -> None:
    with pytest.raises(GanflowError, match=r"^memorisation needs at least 2 images, got 1$"):
        figures(drawn(5, 0), drawn(1, 1))
