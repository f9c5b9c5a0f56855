"""Kernel Inception Distance (Bińkowski et al., 2018), over the features of any extractor."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.evaluation.metrics.base import LOWER, Figure, Measurement, Metric
from ganflow.evaluation.metrics.features import Features, check_finite, some_rows

ROWS = 512  # of a kernel at a time
MOST = 10_000  # rows of either side that an interval is made from


@component("metric", "kid")
class KID(Metric):
    """Unbiased squared MMD with the kernel ``(x·y/F + 1)³``: mean and standard deviation over random subsets."""

    figures: ClassVar[Mapping[str, Figure]] = {
        "kid": Figure(
            "KID", LOWER, "How far features lie apart, without a bias from how many there are; near 0 is alike."
        ),
    }

    bounded = "kid"

    def __init__(self, subsets: int = 100, subset_size: int = 1000) -> None:
        require(subsets > 0, "subsets", subsets, "must be at least 1")
        require(subset_size > 1, "subset_size", subset_size, "must be at least 2")
        self.subsets, self.subset_size = subsets, subset_size

    def __call__(self, fake: Features, real: Features) -> dict[str, Measurement]:
        check_finite("kid", fake, real)
        size = min(self.subset_size, len(fake), len(real))
        rng = np.random.default_rng(0)
        values = [
            float(mmd(_subset(fake.embeddings, size, rng), _subset(real.embeddings, size, rng)))
            for _ in range(self.subsets)
        ]
        return {"kid": Measurement(float(np.mean(values)), std=float(np.std(values)))}

    def resampled(self, fake: Features, real: Features, counts: Tensor) -> Tensor:
        """The figure of every resample, in which sample i counts ``counts[b, i]`` times: (B, N) → (B,).

        It moves from the figure as the estimate over all pairs does, which subsets estimate in turn. Of more than
        ``MOST`` images a fixed random part counts, which makes an interval too wide rather than too narrow.
        """
        rows, others = some_rows(len(fake), MOST), some_rows(len(real), MOST)
        x, y = (f.embeddings[r.to(f.embeddings.device)].double() for f, r in ((fake, rows), (real, others)))
        once = torch.ones(1, len(rows), dtype=torch.float64)
        figures = _weighted(x, y, torch.cat([once, counts[:, rows.to(counts.device)].cpu()]).to(x))
        return figures[1:] - figures[0] + self(fake, real)["kid"].value


def _weighted(x: Tensor, y: Tensor, counts: Tensor) -> Tensor:
    """Unbiased squared MMD of x (N, F) under weights (B, N) from y (M, F), but for what is y's alone: (B,).

    A row that was drawn twice makes no pair with itself: such pairs, which independent samples hardly ever make, would
    add more than most figures are. The weights of all other pairs are divided by their own sum instead.
    """
    total = counts.sum(1)
    within, across = torch.zeros_like(total), torch.zeros_like(total)
    for first in range(0, len(x), ROWS):
        rows = slice(first, first + ROWS)
        kernel = _kernel(x[rows], x[first:])  # symmetric: what lies left of here is doubled from above
        kernel.diagonal().zero_()
        kernel[:, ROWS:] *= 2
        within += ((counts[:, rows] @ kernel) * counts[:, first:]).sum(1)
        across += counts[:, rows] @ _kernel(x[rows], y).mean(1)
    return within / (total.square() - counts.square().sum(1)) - 2 * across / total


def mmd(x: Tensor, y: Tensor) -> Tensor:
    """Unbiased squared maximum mean discrepancy of (m, F) and (m, F) features (Gretton et al., 2012, eq. 4)."""
    m = len(x)
    kxx, kyy, kxy = _kernel(x, x), _kernel(y, y), _kernel(x, y)
    within = kxx.sum() - kxx.trace() + kyy.sum() - kyy.trace()
    return within / (m * (m - 1)) - 2 * kxy.mean()


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return torch.mm(a, b.T).div_(a.shape[1]).add_(1).pow_(3)  # fresh memory costs as much as the arithmetic


def _subset(features: Tensor, size: int, rng: np.random.Generator) -> Tensor:
    rows = torch.from_numpy(rng.choice(len(features), size, replace=False))
    return features[rows.to(features.device)].double()
