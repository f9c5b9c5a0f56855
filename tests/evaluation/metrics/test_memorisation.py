import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import hypergeom

from ganflow.errors import GanflowError
from ganflow.evaluation.metrics.features import Features, UnmeasurableError
from ganflow.evaluation.metrics.memorisation import Memorisation, nearest, tail

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
    monkeypatch.setattr("ganflow.evaluation.metrics.precision_recall.BLOCK", 2000)
    fake, train = drawn(130, 0) + offset, drawn(150, 1) + offset
    ratios, neighbours = nearest(features(fake), features(train))
    expected, rows = by_definition(fake, train)
    np.testing.assert_array_equal(neighbours, rows)
    np.testing.assert_allclose(ratios, expected, rtol=1e-9)


def test_features_of_float32_are_compared_exactly() -> None:
    train = torch.from_numpy(drawn(50, 2)).float() + 100
    ratios, neighbours = nearest(Features(train[7:9], train[:2, :0]), Features(train, train[:, :0]))
    assert (ratios.tolist(), neighbours.tolist()) == ([0, 0], [7, 8])


def repeated(train: Array, times: int, noise: float, seed: int) -> Array:
    """Every image so often, mixed; each stored anew with a little noise."""
    rng = np.random.default_rng(seed)
    again = np.concatenate([train, *(train + rng.normal(0, noise, train.shape) for _ in range(times - 1))])
    mixed: Array = again[rng.permutation(len(again))]
    return mixed


@pytest.mark.parametrize("times", [2, 4, 7])
def test_figures_are_those_of_the_train_images_without_their_repeats(times: int) -> None:
    train, test = drawn(300, 20, 8), drawn(100, 21, 8)
    fake = np.concatenate([drawn(200, 22, 8), train[:50] + 0.01, train[100:110]])
    again = repeated(train, times, 0.0, 23)
    once = figures(fake, train, test)
    assert figures(fake, again, test) == pytest.approx(once, rel=1e-12)
    ratios, rows = nearest(features(fake), features(again))
    expected, own_rows = by_definition(fake, train)
    np.testing.assert_allclose(ratios, expected, rtol=1e-9)
    np.testing.assert_array_equal(again[rows], train[own_rows])
    assert once["memorised"] > 60 / 260


def test_some_images_that_occur_again_hide_no_copies_of_them() -> None:
    train, test = drawn(300, 24, 8), drawn(100, 25, 8)
    fake = np.concatenate([drawn(200, 26, 8), train[:20] + 0.01])
    balanced = np.concatenate([train, train[:20], train[:20]])
    assert figures(fake, balanced, test) == pytest.approx(figures(fake, train, test), rel=1e-12)


@pytest.mark.parametrize("times", [2, 4])
def test_copies_of_images_that_were_stored_anew_are_found_as_without_that(times: int) -> None:
    train, test = drawn(300, 27, 8), drawn(100, 28, 8)
    fake = np.concatenate([drawn(200, 29, 8), train[:50] + 0.02])
    once, again = figures(fake, train, test), figures(fake, repeated(train, times, 0.02, 30), test)
    assert again == pytest.approx(once, rel=0.05)
    assert again["memorised"] > 50 / 250


def test_images_of_a_class_of_two_are_not_the_same_picture() -> None:
    """Far from the rest and as near to each other as the rest are: their own distance is that of the two."""
    train = np.concatenate([drawn(200, 31, 8), drawn(2, 32, 8) + 1000])
    ratios, _ = nearest(features(train[-1:] + 0.5), features(train))
    expected, _ = by_definition(train[-1:] + 0.5, train)
    np.testing.assert_allclose(ratios, expected, rtol=1e-9)


def test_test_images_that_are_train_images_too_say_nothing_of_honest_distances() -> None:
    train, test = drawn(300, 33, 8), drawn(100, 34, 8)
    fake = np.concatenate([drawn(200, 35, 8), train[:50]])
    leaked = np.concatenate([test, train[:30], train[30:60] + 0.01])
    assert figures(fake, train, leaked) == pytest.approx(figures(fake, train, test), rel=1e-12)
    assert figures(fake, train, train[:30]) == {
        "authenticity": pytest.approx((by_definition(fake, train)[0] >= 1).mean())
    }


def test_train_images_that_are_all_the_same_are_refused() -> None:
    with pytest.raises(UnmeasurableError) as refused:
        figures(drawn(5, 0), np.ones((9, 4)), drawn(5, 1))
    why = "all train images are the same, so none has another as its neighbour"
    assert str(refused.value) == f"memorisation: {why}"


def test_two_different_train_images_are_enough() -> None:
    train = np.array([[0.0, 0, 0, 0], [1, 0, 0, 0]]).repeat(3, 0)
    ratios, _ = nearest(features(np.array([[0.25, 0, 0, 0], [0.5, 2, 0, 0]])), features(train))
    np.testing.assert_allclose(ratios, [0.25, 4.25**0.5])


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
    train = drawn(300, 1011)  # of another seed than any trial, whose test images would be its own
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
