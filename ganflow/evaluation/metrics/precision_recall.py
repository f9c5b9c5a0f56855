"""Improved precision and recall (Kynkäänniemi et al., 2019), density and coverage (Naeem et al., 2020)."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.evaluation.metrics.base import HIGHER, Figure, Metric
from ganflow.evaluation.metrics.features import Features, UnmeasurableError, check_finite, some_rows

BALLS = "more different reference images than evaluation.metrics.prdc.k"
BLOCK = 1 << 23  # distances at a time, 64 MiB: memory grows with N, not with N²


@component("metric", "prdc")
class PRDC(Metric):
    """Samples among the balls around real images, and the other way round.

    A ball reaches to its centre's ``k``-th nearest neighbour of its own kind. Reference images that occur again count
    once: a repeat would be its own image's nearest neighbour, at 0, and the balls would shrink to nothing. Samples that
    occur again are the generator's fault and keep their small balls. ``precision``: share of samples within
    any real ball. ``recall``: share of real images within any sample's ball. ``density``: the mean number of real balls
    that a sample is in, over ``k``; it may exceed 1. ``ball_coverage``: share of real balls that hold a sample (the
    paper's coverage; classes have another). Distances are Euclidean, in float64.

    Time grows with the product of both sizes: of more than ``most`` images of either kind a fixed random part counts.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "precision": Figure(
            "Precision", HIGHER, "Share of samples that lie among real images: how many look real.", BALLS
        ),
        "recall": Figure(
            "Recall",
            HIGHER,
            "Share of real images that lie among samples: how much of the data is made.",
            "more samples than evaluation.metrics.prdc.k",
        ),
        "density": Figure(
            "Density", HIGHER, "How densely real images lie around samples; about 1 for real images.", BALLS
        ),
        "ball_coverage": Figure(
            "Coverage of images", HIGHER, "Share of real images with a sample in their neighbourhood.", BALLS
        ),
    }

    def __init__(self, k: int = 5, most: int = 10_000) -> None:
        require(k > 0, "k", k, "must be at least 1")
        require(most > k, "most", most, f"must be more than k={k}")
        self.k, self.most = k, most

    def fewest(self, features: int) -> int:
        """Samples that each have ``k`` others."""
        return self.k + 1

    def __call__(self, fake: Features, real: Features) -> dict[str, float]:
        check_finite("prdc", fake, real)
        x, y = self._some(fake.embeddings), self._some(real.embeddings[real.distinct])
        if max(len(x), len(y)) <= self.k:
            few = f"{len(x)} samples and {len(y)} different reference images have no {self.k} neighbours each"
            raise UnmeasurableError(f"prdc: {few}; set evaluation.metrics.prdc.k")
        figures = self._among(x, y)
        measured = {"recall": len(x) > self.k}  # the others are about balls around reference images
        return {name: value for name, value in figures.items() if measured.get(name, len(y) > self.k)}

    def _some(self, x: Tensor) -> Tensor:
        return x[some_rows(len(x), self.most).to(x.device)]

    def _among(self, x: Tensor, y: Tensor) -> dict[str, float]:
        """The figures of samples x (N, F) among different reference images y (M, F)."""
        around_fake, around_real = radii(x, self.k), radii(y, self.k)
        in_balls = torch.zeros(len(x), dtype=torch.long, device=x.device)
        recalled, covered = (torch.zeros(len(y), dtype=torch.bool, device=y.device) for _ in range(2))
        for rows, squares in squared_distances(x, y):
            within = squares <= around_real
            in_balls[rows] = within.view(torch.int8).sum(1, dtype=torch.long)  # a sum of bools is four times slower
            covered |= within.any(0)
            recalled |= (squares <= around_fake[rows, None]).any(0)
        return {
            "precision": float((in_balls > 0).double().mean()),
            "recall": float(recalled.double().mean()),
            "density": float(in_balls.double().mean() / self.k),
            "ball_coverage": float(covered.double().mean()),
        }


def radii(x: Tensor, k: int) -> Tensor:
    """Squared distance of each row (N, F) to its k-th nearest other row: (N,); -1 where there are not so many."""
    if len(x) <= k:
        return x.new_full((len(x),), -1, dtype=torch.float64)
    # The row itself is the nearest of all, at 0.
    nearest = [squares.topk(k + 1, dim=1, largest=False).values[:, k] for _, squares in squared_distances(x, x)]
    return torch.cat(nearest)


def squared_distances(x: Tensor, y: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Squared Euclidean distances of all rows of x (N, F) to all of y (M, F), about ``BLOCK`` at a time.

    What is yielded is overwritten by the next. Rounding is that of float64 relative to the squared norms.
    """
    centre = y.mean(0).double()  # what is subtracted below is then no larger than it has to be
    x, y = x.double() - centre, y.double() - centre
    # ‖x‖² + ‖y‖² − 2x·y as one product, into memory that is taken once: fresh pages cost more than the arithmetic.
    left = torch.cat([x, x.square().sum(1, keepdim=True), torch.ones_like(x[:, :1])], 1)
    right = torch.cat([-2 * y, torch.ones_like(y[:, :1]), y.square().sum(1, keepdim=True)], 1)
    rows = max(1, min(BLOCK // len(y), len(x)))
    memory = x.new_empty(rows, len(y))
    for first in range(0, len(x), rows):
        part = left[first : first + rows]
        squares = torch.mm(part, right.T, out=memory[: len(part)])
        yield slice(first, first + len(part)), squares.clamp_(min=0)
