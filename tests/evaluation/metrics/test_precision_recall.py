import numpy as np
import numpy.typing as npt
import pytest
import torch

from ganflow.errors import ConfigError
from ganflow.evaluation.metrics.features import Features, UnmeasurableError
from ganflow.evaluation.metrics.precision_recall import PRDC

Array = npt.NDArray[np.float64]


def rows(n: int, size: int, seed: int, shift: float = 0.0) -> Array:
    return np.random.default_rng(seed).normal(shift, 1, (n, size))


def features(x: Array) -> Features:
    return Features(torch.from_numpy(x), torch.empty(len(x), 0))


def prdc(fake: Array, real: Array, k: int = 5) -> dict[str, float]:
    return PRDC(k)(features(fake), features(real))


def by_definition(fake: Array, real: Array, k: int) -> dict[str, float]:
    """Kynkäänniemi et al. (2019), eq. 1 and 2; Naeem et al. (2020), eq. 5 and 8, point by point."""

    def reach(x: Array) -> list[float]:
        return [sorted(float(np.linalg.norm(a - b)) for j, b in enumerate(x) if j != i)[k - 1] for i, a in enumerate(x)]

    def held(points: Array, centres: Array) -> npt.NDArray[np.bool_]:
        r = reach(centres)
        return np.array([[np.linalg.norm(p - c) <= r[j] for j, c in enumerate(centres)] for p in points])

    fake_in_real, real_in_fake = held(fake, real), held(real, fake)
    return {
        "precision": fake_in_real.any(1).mean(),
        "recall": real_in_fake.any(1).mean(),
        "density": fake_in_real.sum() / (k * len(fake)),
        "ball_coverage": fake_in_real.any(0).mean(),
    }


@pytest.mark.parametrize("k", [1, 3, 5])
def test_figures_are_those_of_the_definition(k: int) -> None:
    fake, real = rows(70, 3, 0, 0.8), rows(50, 3, 1)
    figures = prdc(fake, real, k)
    assert figures == pytest.approx(by_definition(fake, real, k), rel=1e-12)
    assert all(0 < value < 1 for value in figures.values())


@pytest.mark.parametrize("block", [1, 400, 150 * 87])
def test_more_rows_than_are_taken_at_a_time_make_no_difference(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganflow.evaluation.metrics.precision_recall.BLOCK", block)
    fake, real = rows(87, 2, 2, 0.7), rows(150, 2, 3)
    assert prdc(fake, real, 2) == pytest.approx(by_definition(fake, real, 2), rel=1e-12)


def test_of_many_images_a_part_counts_that_is_always_the_same() -> None:
    fake, real = rows(300, 2, 12, 0.7), rows(200, 2, 13)
    most = PRDC(3, most=120)(features(fake), features(real))
    parts = [x[np.random.default_rng(0).permutation(len(x))[:120]] for x in (fake, real)]
    assert most == pytest.approx(by_definition(parts[0], parts[1], 3), rel=1e-12)
    assert PRDC(3, most=300)(features(fake), features(real)) == prdc(fake, real, 3)


def test_features_far_from_the_origin_lose_no_digits() -> None:
    fake, real = rows(60, 4, 4, 0.5), rows(60, 4, 5)
    assert prdc(fake + 1e5, real + 1e5) == pytest.approx(prdc(fake, real), rel=1e-12)


def test_known_answers() -> None:
    real = np.concatenate([rows(200, 2, 6, -20), rows(200, 2, 7, 20)])
    one_of_two = prdc(rows(400, 2, 8, 20), real)
    assert one_of_two["precision"] > 0.9
    assert one_of_two["recall"] == pytest.approx(0.5, abs=0.05)
    assert one_of_two["ball_coverage"] == pytest.approx(0.5, abs=0.05)
    replayed = prdc(real, real)
    assert (replayed["precision"], replayed["recall"], replayed["ball_coverage"]) == (1, 1, 1)
    assert prdc(rows(400, 2, 9, 100), real) == {"precision": 0, "recall": 0, "density": 0, "ball_coverage": 0}


def test_an_outlier_among_the_real_images_does_not_make_density() -> None:
    real = np.concatenate([rows(200, 2, 10), [[50.0, 50.0]]])  # the outlier's ball holds everything
    outliers = prdc(rows(200, 2, 11, 15), real)
    assert outliers["precision"] == 1
    assert outliers["density"] == pytest.approx(0.2)  # Naeem et al., figure 2


@pytest.mark.parametrize("times", [2, 3, 8])
def test_reference_images_that_occur_again_count_once(times: int) -> None:
    fake, real = rows(70, 3, 0, 0.8), rows(50, 3, 1)
    again = np.random.default_rng(2).permutation(np.repeat(real, times, 0))
    assert prdc(fake, again) == pytest.approx(by_definition(fake, real, 5), rel=1e-12)
    some = np.concatenate([real, real[:10], real[:10], real[:10]])  # a rare class that was balanced by repetition
    assert prdc(fake, some) == pytest.approx(by_definition(fake, real, 5), rel=1e-12)
    parted = PRDC(3, most=40)(features(fake), features(again))
    assert parted != PRDC(3, most=40)(features(fake), features(fake))


def test_samples_that_occur_again_keep_their_small_balls() -> None:
    real = rows(200, 3, 14)
    collapsed = np.repeat(rows(8, 3, 15), 25, 0)
    found = prdc(collapsed, real)
    assert found == pytest.approx(by_definition(collapsed, real, 5), rel=1e-12)
    assert found["recall"] == 0, "eight images that are far apart would hold all of the data in their balls"


def test_samples_that_are_all_the_same_are_measured() -> None:
    found = prdc(np.zeros((30, 3)), rows(50, 3, 16))
    assert (found["precision"], found["recall"]) == (1, 0)


def test_features_that_differ_by_rounding_are_of_one_image() -> None:
    rng = np.random.default_rng(17)
    real, fake = (torch.from_numpy(rows(60, 64, seed)).float() + 3 for seed in (18, 19))
    rounded = real * (1 + torch.from_numpy(rng.uniform(-1, 1, real.shape)).float() * torch.finfo(torch.float32).eps)
    assert not torch.equal(real, rounded)
    none = torch.empty(60, 0)
    once, again = (PRDC()(Features(fake, none), Features(y, none)) for y in (real, torch.cat([real, rounded])))
    assert again == once


def test_too_few_images_cost_the_figures_of_their_balls() -> None:
    few, many = rows(5, 2, 0), rows(30, 2, 1)
    expected = {"precision", "recall", "density", "ball_coverage"}
    assert set(prdc(few, many)) == expected - {"recall"}
    assert prdc(few, many)["precision"] == by_definition(np.concatenate([few, few]), many, 5)["precision"]
    assert set(prdc(many, few)) == {"recall"}
    assert set(prdc(many, np.repeat(few, 9, 0))) == {"recall"}, "five different ones, however often"
    assert set(prdc(few, many, 4)) == expected


@pytest.mark.parametrize(
    ("count", "k", "line"),
    [
        (5, 5, "prdc: 5 samples and 5 different reference images have no 5 neighbours each; "
               "set evaluation.metrics.prdc.k"),
        (1, 1, "prdc needs at least 2 images, got 1"),
    ],
)  # fmt: skip
def test_too_few_images_of_both_kinds_are_refused(count: int, k: int, line: str) -> None:
    with pytest.raises(UnmeasurableError) as refused:
        prdc(rows(count, 2, 0), rows(count, 2, 1).repeat(2, 0), k)
    assert str(refused.value) == line


def test_k_of_nought_is_refused() -> None:
    with pytest.raises(ConfigError) as refused:
        PRDC(0)
    assert str(refused.value) == "k=0: must be at least 1"


def test_a_part_that_is_too_small_is_refused() -> None:
    with pytest.raises(ConfigError) as refused:
        PRDC(5, most=5)
    assert str(refused.value) == "most=5: must be more than k=5"
