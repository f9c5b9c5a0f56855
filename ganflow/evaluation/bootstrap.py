"""Bootstrap intervals: the distance between a figure of finitely many samples and that of infinitely many.

Only the samples are resampled. The reference is the protocol's own fixed set, so the truth that an interval is about is
the figure of infinitely many samples of the same generator against that very reference.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

SEED = 0  # of the resamples: the same samples get the same interval


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval, in the figure's own unit; a bound may lie outside of what the figure can be."""

    low: float
    high: float
    error: float  # standard error of the figure


def counts(n: int, resamples: int = 200) -> Tensor:
    """The counts of each of ``n`` samples in each of B ``resamples`` of n draws: multinomial (B, n), in float64."""
    rng = np.random.default_rng(SEED)
    drawn = [np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(resamples)]
    return torch.from_numpy(np.stack(drawn)).double()


def interval(value: float, resampled: Tensor, smooth: bool = True) -> Interval:
    """Normal bootstrap interval, corrected for bias: ``2·θ̂ − mean θ* ± 1.96·sd θ*``.

    Efron & Tibshirani (1993): standard error of eq. 6.6, bias of eq. 10.2. A figure that counts steps gets the
    percentiles of its resamples (section 13.3): near a step their mean says nothing of its bias.

    Args:
        value: θ̂, the figure of the samples.
        resampled: θ*, the same figure of every resample: (B,).
        smooth: whether the figure changes gradually with its samples.
    """
    stars = resampled.double()
    error = float(stars.std())
    if not smooth:
        low, high = stars.quantile(stars.new_tensor([0.025, 0.975])).tolist()
        return Interval(low, high, error)
    centre = 2 * value - float(stars.mean())
    return Interval(centre - 1.96 * error, centre + 1.96 * error, error)
