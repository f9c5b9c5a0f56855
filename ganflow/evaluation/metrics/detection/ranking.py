"""Curves over every threshold of a score: sorted once, for any number of weightings, without bins."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Ranking:
    """The order of N scores from the highest down, and T thresholds; equal scores pass a threshold together."""

    order: Tensor  # (N,)
    ends: Tensor  # (T,): the last place in the order that passes each threshold

    @classmethod
    def of(cls, scores: Tensor) -> "Ranking":
        """That of finite scores (N,), with all thresholds there are."""
        ordered, order = scores.sort(descending=True)
        last = ordered.new_ones(1, dtype=torch.bool)
        return cls(order, torch.cat([ordered[1:] != ordered[:-1], last]).nonzero()[:, 0])

    def at_corners(self, hits: Tensor) -> "Ranking":
        """The same without thresholds that curves of weights ``hits`` (N,) pass straight, where no hit lies between."""
        passed = (hits[self.order] > 0).cumsum(0)[self.ends]
        steps = passed.diff(prepend=passed.new_zeros(1)) > 0
        last = steps.new_ones(1)
        return Ranking(self.order, self.ends[steps | torch.cat([steps[1:], last])])

    def passed(self, weights: Tensor) -> Tensor:
        """Share of the weights (B, N) that pass each threshold: (B, 1 + T), from 0 to 1; NaN of rows without any."""
        return self.passed_in_order(weights[:, self.order])

    def passed_in_order(self, weights: Tensor) -> Tensor:
        """The same of weights (B, N) that stand in the scores' order."""
        sums = weights.cumsum(1)[:, self.ends]
        return torch.nn.functional.pad(sums / sums[:, -1:], (1, 0))


def area(x: Tensor, y: Tensor, limit: float = 1.0) -> Tensor:
    """Area under lines through points (x, y), both (B, 1 + T) with x rising from 0 to 1, up to a limit: (B,).

    It is divided by the limit, so that 1 is the most for y from 0 to 1.
    """
    width, up_to = x.diff(dim=1), x.clamp(max=limit).diff(dim=1)
    rise = torch.where(width > 0, up_to / width, 0) * y.diff(dim=1)
    return (up_to * (y[:, :-1] + rise / 2)).sum(1) / limit


def measured(resamples: Tensor) -> Tensor:
    """The figures of resamples (B,) that hold both kinds, normal and anomalous; the others are NaN: (at most B,)."""
    return resamples[~resamples.isnan()]


def passed_pixels(maps: Tensor, hits: Tensor, alarms: Tensor, counts: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Shares of two weights of pixels that pass thresholds of the maps, (1, 1 + T) both, for each row of counts.

    A row at a time, because there may be millions of pixels; thresholds between which no hit lies are left out.

    Args:
        maps: scores of pixels (N, H, W).
        hits: weights of pixels that should pass.
        alarms: weights of those that should not.
        counts: of images, (B, N).
    """
    ranking = Ranking.of(maps.flatten()).at_corners(hits.flatten())
    of_image = ranking.order // maps[0].numel()
    ordered_hits, ordered_alarms = hits.flatten()[ranking.order], alarms.flatten()[ranking.order]
    for row in counts:
        times = row.index_select(0, of_image)
        weights = (ordered_hits * times, ordered_alarms * times)
        yield ranking.passed_in_order(weights[0][None]), ranking.passed_in_order(weights[1][None])
