import numpy as np
import pytest
import torch
from torch import Tensor
from torchmetrics.image.kid import poly_mmd

from ganflow.errors import ConfigError, GanflowError
from ganflow.evaluation.bootstrap import counts
from ganflow.evaluation.metrics.base import Measurement
from ganflow.evaluation.metrics.features import Features
from ganflow.evaluation.metrics.kid import KID, mmd


def rows(n: int, size: int, seed: int, shift: float = 0.0) -> Tensor:
    return torch.randn(n, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + shift


def kid(fake: Tensor, real: Tensor, **options: int) -> Measurement:
    return KID(**options)(*(Features(x, torch.empty(len(x), 0)) for x in (fake, real)))["kid"]


def by_definition(x: np.ndarray, y: np.ndarray) -> float:
    """Gretton et al. (2012), eq. 4, as its sums over pairs; kernel of Bińkowski et al. (2018), eq. 3."""

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / len(a) + 1) ** 3)

    m = len(x)
    pairs = [(i, j) for i in range(m) for j in range(m)]
    within = sum(k(x[i], x[j]) + k(y[i], y[j]) for i, j in pairs if i != j)
    return within / (m * (m - 1)) - 2 * sum(k(x[i], y[j]) for i, j in pairs) / m**2


def test_mmd_is_the_sum_over_pairs() -> None:
    x, y = rows(9, 5, 0), rows(9, 5, 1, 0.4)
    assert float(mmd(x, y)) == pytest.approx(by_definition(x.numpy(), y.numpy()), rel=1e-10)


def test_mmd_is_torchmetrics_poly_mmd() -> None:
    x, y = rows(60, 16, 2), rows(60, 16, 3, 0.3)
    assert float(mmd(x, y)) == pytest.approx(float(poly_mmd(x, y)), rel=1e-10)


def test_it_is_unbiased_so_equal_distributions_average_to_zero() -> None:
    values = np.array([float(mmd(rows(40, 4, 2 * i), rows(40, 4, 2 * i + 1))) for i in range(200)])
    assert abs(values.mean()) < 3 * values.std() / 200**0.5
    assert (values < 0).any()


def test_a_subset_as_large_as_the_sets_is_the_whole() -> None:
    x, y = rows(30, 5, 4), rows(30, 5, 5, 0.4)
    figure = kid(x, y, subsets=3, subset_size=1000)
    assert figure.value == pytest.approx(by_definition(x.numpy(), y.numpy()), rel=1e-9)
    assert figure.std == pytest.approx(0.0, abs=1e-9)


def test_subsets_average_to_the_figure_of_the_whole_and_are_drawn_alike_each_time() -> None:
    x, y = rows(400, 5, 6), rows(300, 5, 7, 0.5)
    figure = kid(x, y, subsets=100, subset_size=100)
    assert figure == kid(x, y, subsets=100, subset_size=100)
    whole = float(poly_mmd(x[:300], y))
    assert figure.std is not None
    assert 0 < figure.std < whole
    assert figure.value == pytest.approx(whole, abs=5 * figure.std / 100**0.5 + 0.05 * whole)


def resampled_by_definition(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    """Of weighted rows, without pairs of a row with itself; but for what is y's alone."""

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / len(a) + 1) ** 3)

    pairs = [(i, j) for i in range(len(x)) for j in range(len(x)) if i != j]
    within = sum(w[i] * w[j] * k(x[i], x[j]) for i, j in pairs) / sum(w[i] * w[j] for i, j in pairs)
    return within - 2 * sum(w[i] * k(a, b) for i, a in enumerate(x) for b in y) / len(y) / sum(w)


def test_a_resample_s_figure_is_the_sum_over_weighted_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganflow.evaluation.metrics.kid.ROWS", 4)
    x, y = rows(11, 5, 11), rows(8, 5, 12, 0.4)
    weights = np.random.default_rng(0).multinomial(11, np.full(11, 1 / 11), 3)
    value = kid(x, y, subsets=3).value
    all_pairs = resampled_by_definition(x.numpy(), y.numpy(), np.ones(11))
    expected = [value + resampled_by_definition(x.numpy(), y.numpy(), w) - all_pairs for w in weights]
    features = [Features(f, torch.empty(len(f), 0)) for f in (x, y)]
    found = KID(subsets=3).resampled(features[0], features[1], torch.from_numpy(weights).double())
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_of_many_images_a_part_makes_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, real = (Features(rows(300, 5, seed, shift), torch.empty(300, 0)) for seed, shift in ((13, 0.0), (14, 0.5)))
    drawn, metric = counts(300, 200), KID(subset_size=100)
    whole = metric.resampled(fake, real, drawn)
    monkeypatch.setattr("ganflow.evaluation.metrics.kid.MOST", 150)
    part = metric.resampled(fake, real, drawn)
    assert float(part.std() / whole.std()) == pytest.approx(2**0.5, rel=0.3)
    assert float(part.mean()) == pytest.approx(float(whole.mean()), abs=float(whole.std()) / 2)


def test_figures_are_those_of_float64_whatever_the_features_are() -> None:
    x, y = rows(50, 64, 8).float(), rows(50, 64, 9, 0.01).float()
    assert kid(x, y, subsets=2).value == pytest.approx(by_definition(x.double().numpy(), y.double().numpy()), rel=1e-8)


def test_features_that_are_not_finite_are_refused() -> None:
    fake = rows(10, 4, 10)
    fake[0, 0] = float("nan")
    with pytest.raises(GanflowError) as refused:
        kid(fake, rows(10, 4, 11))
    assert str(refused.value) == "kid: features hold NaN or infinity; the generator has diverged"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"subsets": 0}, "subsets=0: must be at least 1"),
        ({"subset_size": 1}, "subset_size=1: must be at least 2"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, int], line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        KID(**options)
    assert str(refused.value) == line
