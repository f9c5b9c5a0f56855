"""Whether samples are copies of train images: authenticity (Alaa et al., 2022), held against a held-out split."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ganflow.component import component
from ganflow.metrics.features import Features, check_finite
from ganflow.metrics.figure import HIGHER, LOWER, Figure
from ganflow.metrics.prdc import squared_distances

SHARE = 0.05  # of the held-out images that are nearer to the train split than the bound


@component("metric", "memorisation")
class Memorisation:
    """How near samples are to train images, in units of how near train images are to one another.

    A sample's ratio is its distance from the nearest train image over that one's from its own nearest other one.
    ``authenticity``: share of samples with a ratio of at least 1. Held-out images, which cannot be copies, say how
    small ratios honestly are: ``memorised`` is the share of samples below the test split's 5 % quantile, and expected
    to be 0.05; ``memorisation_p`` how likely as many samples are below it where samples and test images are
    exchangeable. Both need a test split.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "authenticity": Figure(
            "Authenticity", HIGHER, "Share of samples no nearer to a training image than that is to its own neighbours."
        ),
        "memorised": Figure(
            "Memorised",
            LOWER,
            "Share of samples nearer to a training image than 95 % of test images are; 0.05 is expected.",
        ),
        "memorisation_p": Figure(
            "p of memorisation",
            "",
            "How likely so many near samples are for a generator that copies nothing; small is a sign.",
        ),
    }

    def __call__(
        self,
        fake: Features,
        train: Features,
        test: Features | None,
        neighbours: tuple[Tensor, Tensor] | None = None,
    ) -> dict[str, float]:
        check_finite("memorisation", fake)
        check_finite("memorisation", train)
        ratios, _ = neighbours or nearest(fake, train)
        figures = {"authenticity": float((ratios >= 1).double().mean())}
        if test is None or not len(test):
            return figures
        kth = max(1, round(SHARE * len(test)))
        bound = nearest(test, train)[0].kthvalue(kth).values
        below = int((ratios < bound).sum())
        p = tail(below, kth, len(fake), len(test))
        return figures | {"memorised": below / len(fake), "memorisation_p": p}


def nearest(fake: Features, train: Features) -> tuple[Tensor, Tensor]:
    """Each sample's ratio (N,) and the row of the train image that is nearest to it (N,).

    A copy has ratio 0, of a train image that has a twin in its split, too; anything else near such a twin has infinity.
    """
    x, y = fake.embeddings, train.embeddings
    neighbours = _nearest(x, y)
    centres, which = neighbours.unique(return_inverse=True)
    own = _distance(y[centres], y[_nearest(y[centres], y, centres)])[which]
    away = _distance(x, y[neighbours])
    return torch.where(away == 0, away, away / own), neighbours


def _nearest(x: Tensor, y: Tensor, own: Tensor | None = None) -> Tensor:
    """Row of y (M, F) that is nearest to each of x (N, F), other than row ``own`` (N,): (N,)."""
    found = [torch.empty(0, dtype=torch.long, device=x.device)]  # a rank may have no rows
    for rows, squares in squared_distances(x, y):
        if own is not None:
            squares.scatter_(1, own[rows, None], float("inf"))
        found.append(squares.argmin(1))
    return torch.cat(found)


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """Distances of rows a and b (N, F): (N,). The difference itself, for expanded squares make no exact zero."""
    distances: Tensor = (a.double() - b.double()).norm(dim=1)
    return distances


def tail(below: int, kth: int, samples: int, tests: int) -> float:
    """P(at least ``below`` of N samples are smaller than the ``kth`` smallest of M test values), all exchangeable.

    They are exactly if the smallest ``below + kth − 1`` of all hold at least ``below`` samples, whose number is
    hypergeometric.
    """
    if not below:
        return 1.0
    smallest = below + kth - 1
    hits = torch.arange(below, min(samples, smallest) + 1, dtype=torch.float64)
    ways = _log_choose(samples, hits) + _log_choose(tests, smallest - hits)
    log_p = ways.logsumexp(0) - _log_choose(samples + tests, torch.tensor(float(smallest), dtype=torch.float64))
    return min(1.0, float(log_p.exp()))


def _log_choose(n: int, k: Tensor) -> Tensor:
    """log of n over k; k at most n."""
    n_ = torch.full_like(k, n)
    return (n_ + 1).lgamma() - (k + 1).lgamma() - (n_ - k + 1).lgamma()
