import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from ganflow.errors import GanflowError
from ganflow.evaluation.metrics.features import Features
from ganflow.evaluation.metrics.fid import FID, frechet_distance, moments


def rows(n: int, size: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(size, size, dtype=torch.float64, generator=generator)
    return scale * torch.randn(n, size, dtype=torch.float64, generator=generator) @ mix + shift


def features(embeddings: Tensor) -> Features:
    return Features(embeddings, torch.empty(len(embeddings), 0))


def fid(fake: Tensor, real: Tensor) -> float:
    return FID()(features(fake), features(real))["fid"]


def by_definition(fake: np.ndarray, real: np.ndarray) -> float:
    """Heusel et al. (2017), eq. 6, with scipy's dense matrix root."""
    covariances = [np.atleast_2d(np.cov(x, rowvar=False)) for x in (fake, real)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1])
    trace = np.trace(covariances[0] + covariances[1] - 2 * np.real(root))
    return float(((fake.mean(0) - real.mean(0)) ** 2).sum() + trace)


@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_it_is_the_definition_with_a_dense_root(size: int) -> None:
    fake, real = rows(300, size, 0, 1.3, 0.2), rows(400, size, 1)
    assert fid(fake, real) == pytest.approx(by_definition(fake.numpy(), real.numpy()), rel=1e-6)


class Identity(nn.Module):
    num_features = 12

    def forward(self, features: Tensor) -> Tensor:
        return features


def test_it_is_torchmetrics_figure_over_the_same_features() -> None:
    fake, real = rows(200, 12, 2, shift=0.5), rows(300, 12, 3)
    theirs = FrechetInceptionDistance(feature=Identity(), input_img_size=(12,)).set_dtype(torch.float64)
    theirs.update(real, real=True)
    theirs.update(fake, real=False)
    assert fid(fake, real) == pytest.approx(float(theirs.compute()), rel=1e-6)


def test_axis_aligned_gaussians_have_the_closed_form() -> None:
    """Diagonal covariances: Σ (m₁ - m₂)² + Σ (s₁ - s₂)²."""
    m1, m2 = torch.tensor([0.0, 1.0, -2.0]).double(), torch.tensor([1.0, 1.0, 0.5]).double()
    s1, s2 = torch.tensor([1.0, 2.0, 0.0]).double(), torch.tensor([3.0, 0.5, 0.0]).double()
    expected = float(((m1 - m2) ** 2).sum() + ((s1 - s2) ** 2).sum())
    assert frechet_distance(m1, torch.diag(s1**2), m2, torch.diag(s2**2)) == pytest.approx(expected)


def test_moments_are_numpy_s_unbiased_ones() -> None:
    x = rows(50, 5, 4)
    mean, covariance = moments(x.float())
    assert mean.dtype == covariance.dtype == torch.float64
    np.testing.assert_allclose(mean, x.float().double().numpy().mean(0), rtol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(x.float().double().numpy(), rowvar=False), rtol=1e-10)


def test_singular_covariances_still_have_a_distance() -> None:
    fake, real = rows(10, 40, 5), rows(12, 40, 6)
    singular = by_definition_of_low_rank(fake, real)
    assert frechet_distance(*moments(fake), *moments(real)) == pytest.approx(singular, rel=1e-6)


@pytest.mark.parametrize(
    ("samples", "images", "line"),
    [
        (
            40,
            400,
            "40 samples of 40 features: the covariance needs more samples than features; "
            "raise evaluation.samples, or measure kid",
        ),
        (
            41,
            40,
            "40 reference images of 40 features: the covariance needs more images than features; measure kid",
        ),
    ],
)
def test_a_covariance_that_lacks_rank_is_refused(samples: int, images: int, line: str) -> None:
    with pytest.raises(GanflowError) as refused:
        fid(rows(samples, 40, 5), rows(images, 40, 6))
    assert str(refused.value) == f"fid: {line}"
    assert fid(rows(41, 40, 5), rows(41, 40, 6)) > 0


def test_a_resample_s_figure_is_the_definition_over_weighted_moments() -> None:
    """n/(n − 1) enters twice, so that resamples vary around the samples' own covariance."""
    fake, real = rows(60, 5, 14, 1.2, 0.3), rows(80, 5, 15)
    counts = np.random.default_rng(0).multinomial(60, np.full(60, 1 / 60), 5)
    expected = []
    for row in counts:
        again = np.repeat(fake.numpy(), row, axis=0)
        middle = again.mean(0)
        expected.append(by_definition((again - middle) * (60 / 59) ** 0.5 + middle, real.numpy()))
    found = FID().resampled(features(fake), features(real), torch.from_numpy(counts).double())
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def by_definition_of_low_rank(fake: Tensor, real: Tensor) -> float:
    """tr (Σ₁Σ₂)^½ is the nuclear norm of A₁A₂ᵀ where Σ = AᵀA, which needs no root of a singular matrix."""
    a1, a2 = (((x - x.mean(0)) / (len(x) - 1) ** 0.5).numpy() for x in (fake, real))
    nuclear = np.linalg.svd(a1 @ a2.T, compute_uv=False).sum()
    means = ((fake.mean(0) - real.mean(0)) ** 2).sum()
    return float(means + (a1**2).sum() + (a2**2).sum() - 2 * nuclear)


def test_a_constant_feature_and_equal_sets_give_zero() -> None:
    real = rows(100, 6, 7)
    real[:, 2] = 4.0
    assert fid(real, real) == pytest.approx(0.0, abs=1e-9)
    assert fid(real, real.flip(0)) >= 0


def test_it_is_symmetric_and_grows_with_the_shift() -> None:
    real = rows(500, 6, 8)
    shifted = [fid(real + step, real) for step in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(shifted, [0, 6 * 0.25, 6 * 1.0], atol=1e-8)
    assert fid(rows(90, 6, 9), real) == pytest.approx(fid(real, rows(90, 6, 9)))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_features_that_are_not_finite_are_refused(bad: float) -> None:
    fake = rows(10, 4, 10)
    fake[3, 1] = bad
    with pytest.raises(GanflowError) as refused:
        fid(fake, rows(10, 4, 11))
    assert str(refused.value) == "fid: features hold NaN or infinity; the generator has diverged"


def test_one_image_is_no_distribution() -> None:
    with pytest.raises(GanflowError, match=r"^fid needs at least 2 images, got 1$"):
        fid(rows(1, 4, 12), rows(10, 4, 13))
