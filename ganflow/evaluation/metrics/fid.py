"""Fréchet Inception Distance (Heusel et al., 2017), over the features of any extractor."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.evaluation.metrics.base import LOWER, Figure, Metric
from ganflow.evaluation.metrics.features import Features, UnmeasurableError, check_finite


@component("metric", "fid")
class FID(Metric):
    """``‖μ₁−μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½)`` in float64. Lower is better.

    Fewer images than features are refused: their covariance lacks rank, and the figure says more of that than of them.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "fid": Figure("FID", LOWER, "How far the features of samples lie from those of real images; 0 is alike."),
    }

    bounded = "fid"

    def fewest(self, features: int) -> int:
        """Samples that a covariance of full rank takes."""
        return features + 1

    def __call__(self, fake: Features, real: Features) -> dict[str, float]:
        check_finite("fid", fake, real)
        check_rank("fid", fake, real)
        return {"fid": frechet_distance(*moments(fake.embeddings), *moments(real.embeddings))}

    def resampled(self, fake: Features, real: Features, counts: Tensor) -> Tensor:
        """The distance of every resample, in which sample i counts ``counts[b, i]`` times: (B, N) → (B,)."""
        mean, cov = moments(real.embeddings)
        x = fake.embeddings.double() - mean
        y = x @ _factor(cov)
        squares = x.square().sum(1)
        return torch.stack([_weighted(x, y, squares, w) for w in counts.to(x)]) + cov.trace()


def _weighted(x: Tensor, y: Tensor, squares: Tensor, w: Tensor) -> Tensor:
    """The distance, but for tr Σ₂, of samples x (N, F) less μ₂, under weights w (N,) that add up to N.

    With ``y = xL`` and ``LLᵀ = Σ₂``, as in :func:`frechet_distance`, the covariance of y is ``LᵀΣ₁L``.
    """
    n = len(x)
    mean_x, mean_y = w @ x / n, w @ y / n
    # Resamples vary around (n − 1)/n of the samples' own covariance, so n/(n − 1) enters twice and their truth is ours.
    scale = (n / (n - 1)) ** 2
    cov_y = (y.T * w) @ y / n - mean_y.outer(mean_y)
    trace = w @ squares / n - mean_x @ mean_x
    cross = torch.linalg.eigvalsh(scale * cov_y).clamp(min=0).sqrt().sum()
    distance: Tensor = mean_x @ mean_x + scale * trace - 2 * cross
    return distance


def check_rank(name: str, fake: Features, real: Features) -> None:
    """Refuse images whose covariance cannot have full rank."""
    hint = "raise evaluation.samples, or measure kid"
    for which, features, ways_out in (("samples", fake, hint), ("reference images", real, "measure kid")):
        n, size = features.embeddings.shape
        if n <= size:
            needs = f"the covariance needs more {which.split()[-1]} than features"
            raise UnmeasurableError(f"{name}: {n} {which} of {size} features: {needs}; {ways_out}")


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (F,) and unbiased covariance (F, F) of features (N, F), in float64."""
    wide = features.double()
    return wide.mean(0), torch.cov(wide.T).reshape(wide.shape[1], wide.shape[1])


def frechet_distance(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    """Squared Fréchet distance of two Gaussians (Dowson & Landau, 1982).

    The trace of the root comes from eigenvalues of the symmetric ``LᵀΣ₂L`` with ``LLᵀ = Σ₁``, which has those of
    ``Σ₁Σ₂``: no dense matrix root, no imaginary part, and singular covariances are fine.
    """
    L = _factor(cov1)
    cross = torch.linalg.eigvalsh(L.T @ cov2 @ L).clamp(min=0).sqrt().sum()
    distance = (mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * cross
    return max(0.0, float(distance))


def _factor(cov: Tensor) -> Tensor:
    """L with ``LLᵀ = cov``: Cholesky's, or by eigenvectors where a covariance of few images has no rank for that."""
    L: Tensor
    L, failed = torch.linalg.cholesky_ex(cov)
    if failed:
        values, vectors = torch.linalg.eigh(cov)
        L = vectors * values.clamp(min=0).sqrt()
    return L
