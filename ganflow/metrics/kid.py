"""Kernel Inception Distance (Bińkowski et al., 2018), over the features of any extractor."""

import numpy as np
import torch
from torch import Tensor

from ganflow.component import component
from ganflow.errors import require
from ganflow.metrics.features import Features, check_finite


@component("metric", "kid")
class KID:
    """Unbiased squared MMD with the kernel ``(x·y/F + 1)³``: mean and standard deviation over random subsets."""

    def __init__(self, subsets: int = 100, subset_size: int = 1000) -> None:
        require(subsets > 0, "subsets", subsets, "must be at least 1")
        require(subset_size > 1, "subset_size", subset_size, "must be at least 2")
        self.subsets, self.subset_size = subsets, subset_size

    def __call__(self, fake: Features, real: Features) -> dict[str, float]:
        check_finite("kid", fake)
        size = min(self.subset_size, len(fake), len(real))
        rng = np.random.default_rng(0)
        values = [
            float(mmd(_subset(fake.embeddings, size, rng), _subset(real.embeddings, size, rng)))
            for _ in range(self.subsets)
        ]
        return {"kid": float(np.mean(values)), "kid_std": float(np.std(values))}


def mmd(x: Tensor, y: Tensor) -> Tensor:
    """Unbiased squared maximum mean discrepancy of (m, F) and (m, F) features (Gretton et al., 2012, eq. 4)."""
    m = len(x)
    kxx, kyy, kxy = _kernel(x, x), _kernel(y, y), _kernel(x, y)
    within = kxx.sum() - kxx.trace() + kyy.sum() - kyy.trace()
    return within / (m * (m - 1)) - 2 * kxy.mean()


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T / a.shape[1] + 1) ** 3


def _subset(features: Tensor, size: int, rng: np.random.Generator) -> Tensor:
    rows = torch.from_numpy(rng.choice(len(features), size, replace=False))
    return features[rows.to(features.device)].double()
