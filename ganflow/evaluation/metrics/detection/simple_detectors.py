"""Anomaly detectors without a trained network: principal components, and the nearest normal image."""

import torch
from torch import Tensor

from ganflow.evaluation.metrics.features import some_rows
from ganflow.evaluation.metrics.precision_recall import squared_distances

LARGE = 2048  # values of an image, beyond which components come from at most as many images
ROWS = 1024  # images at a time


def pca_residuals(images: Tensor, normal: Tensor, share: float) -> Tensor:
    """Squared errors of :func:`pca_rebuilt`: (N, F)."""
    return (images.double() - pca_rebuilt(images, normal, share)).square().float()


def pca_rebuilt(images: Tensor, normal: Tensor, share: float) -> Tensor:
    """Test images (N, F) as the principal components of normal ones (M, F) rebuild them, in float64: (N, F).

    Args:
        images: test images; they have no say in what the components are.
        normal: train images.
        share: of the normal images' variance, which the components that are kept hold at least.
    """
    mean, axes = principal_axes(normal, share)
    parts = []
    for part in images.split(ROWS):
        centred = part.double() - mean
        parts.append(mean + centred @ axes @ axes.T)
    return torch.cat(parts)


def principal_axes(normal: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Mean (F,) of images (M, F), and the fewest principal axes (F, k) that hold a share of the variance, in float64.

    Images of more than ``LARGE`` values are represented by at most ``LARGE`` of them, always the same. Of fewer images
    than values the products with one another say all, and make a smaller matrix than a covariance.
    """
    if normal.shape[1] > LARGE:
        normal = normal[some_rows(len(normal), LARGE).to(normal.device)]
    mean = normal.mean(0, dtype=torch.float64)
    if len(normal) >= normal.shape[1]:
        return mean, _largest(_covariance(normal, mean), share)[1]
    centred = normal.double() - mean
    values, weights = _largest(centred @ centred.T, share)
    return mean, centred.T @ weights / values.sqrt()


def _covariance(normal: Tensor, mean: Tensor) -> Tensor:
    """Covariance of images (M, F), times M: (F, F)."""
    covariance = mean.new_zeros(len(mean), len(mean))
    for part in normal.split(ROWS):
        centred = part.double() - mean
        covariance += centred.T @ centred
    return covariance


def _largest(matrix: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """The fewest eigenvalues (k,) that add up to a share of all, from the largest down, and eigenvectors (F, k)."""
    values, vectors = torch.linalg.eigh(matrix)
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
    sums = values.cumsum(0)
    k = int((sums < share * sums[-1]).sum()) + 1 if sums[-1] > 0 else 0
    return values[:k], vectors[:, :k]


def nearest_normal(images: Tensor, normal: Tensor) -> Tensor:
    """Squared distance of each test image (N, F) from the nearest normal one (M, F), in float64: (N,)."""
    nearest = images.new_full((len(images),), float("inf"), dtype=torch.float64)
    for some in normal.split(ROWS):
        for rows, squares in squared_distances(images, some):
            nearest[rows] = nearest[rows].minimum(squares.amin(1))
    return nearest
