"""Fréchet Inception Distance (Heusel et al., 2017), over the features of any extractor."""

import torch
from torch import Tensor

from ganflow.component import component
from ganflow.metrics.features import Features, check_finite


@component("metric", "fid")
class FID:
    """``‖μ₁−μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½)`` in float64. Lower is better."""

    def __call__(self, fake: Features, real: Features) -> dict[str, float]:
        check_finite("fid", fake)
        return {"fid": frechet_distance(*moments(fake.embeddings), *moments(real.embeddings))}


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
