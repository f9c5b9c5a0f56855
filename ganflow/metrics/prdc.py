"""Improved precision and recall (Kynkäänniemi et al., 2019), density and coverage (Naeem et al., 2020)."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ganflow.component import component
from ganflow.errors import GanflowError, require
from ganflow.metrics.features import Features, check_finite

ROWS = 512  # of distances at a time: memory grows with N, not with N²


@component("metric", "prdc")
class PRDC:
    """How samples lie among the balls around real images, and the other way round.

    A ball reaches to its centre's ``k``-th nearest neighbour of its own kind. ``precision``: share of samples within
    any real ball. ``recall``: share of real images within any sample's ball. ``density``: the mean number of real balls
    that a sample is in, over ``k``; it may exceed 1. ``ball_coverage``: share of real balls that hold a sample (the
    paper's coverage; classes have another). Distances are Euclidean, in float64.
    """

    def __init__(self, k: int = 5) -> None:
        require(k > 0, "k", k, "must be at least 1")
        self.k = k

    def __call__(self, fake: Features, real: Features) -> dict[str, float]:
        check_finite("prdc", fake)
        fewest = min(len(fake), len(real))
        if fewest <= self.k:
            raise GanflowError(f"prdc: {fewest} images have no {self.k} neighbours each; set evaluation.metrics.prdc.k")
        x, y = fake.embeddings.double(), real.embeddings.double()
        around_fake, around_real = radii(x, self.k), radii(y, self.k)
        in_balls = torch.zeros(len(x), dtype=torch.long, device=x.device)
        recalled, covered = (torch.zeros(len(y), dtype=torch.bool, device=y.device) for _ in range(2))
        for rows, squares in squared_distances(x, y):
            within = squares <= around_real
            in_balls[rows] = within.sum(1)
            covered |= within.any(0)
            recalled |= (squares <= around_fake[rows, None]).any(0)
        return {
            "precision": float((in_balls > 0).double().mean()),
            "recall": float(recalled.double().mean()),
            "density": float(in_balls.double().mean() / self.k),
            "ball_coverage": float(covered.double().mean()),
        }


def radii(x: Tensor, k: int) -> Tensor:
    """Squared distance of each row (N, F) to its k-th nearest other row: (N,)."""
    # The row itself is the nearest of all, at 0.
    return torch.cat([squares.kthvalue(k + 1, dim=1).values for _, squares in squared_distances(x, x)])


def squared_distances(x: Tensor, y: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Squared Euclidean distances of all rows of x (N, F) to all of y (M, F), ``ROWS`` rows of x at a time."""
    centre = y.mean(0)  # what is subtracted below is then no larger than it has to be
    x, y = x - centre, y - centre
    squares = y.square().sum(1)
    for first in range(0, len(x), ROWS):
        part = x[first : first + ROWS]
        product = torch.addmm(squares.expand(len(part), -1), part, y.T, alpha=-2)
        yield slice(first, first + ROWS), product.add_(part.square().sum(1, keepdim=True)).clamp_(min=0)
