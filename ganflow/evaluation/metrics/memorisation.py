"""Memorisation, samples that copy train images: authenticity (Alaa et al., 2022), held against a held-out split."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.evaluation.metrics.base import HIGHER, LOWER, Figure, Metric
from ganflow.evaluation.metrics.features import Features, UnmeasurableError, check_finite, some_rows
from ganflow.evaluation.metrics.precision_recall import squared_distances

HELD_OUT = "a test split of images that are not train images too"
NEAR = 0.25  # of the distance to the next image; by chance such a gap has probability NEAR^d in d dimensions
OTHERS = 3  # that may be the same picture as a train image
SOME = 500  # train images that say how far they usually lie apart
SHARE = 0.05  # of the held-out images that are nearer to the train split than the bound


@component("metric", "memorisation")
class Memorisation(Metric):
    """The distance of samples from train images, in units of the distance of train images from one another.

    A sample's ratio is its distance from the nearest train image over that one's from the nearest different one.
    ``authenticity``: share of samples with a ratio of at least 1. Held-out images, which cannot be copies, say how
    small ratios honestly are: ``memorised`` is the share of samples below the test split's 5 % quantile, and expected
    to be 0.05; ``memorisation_p`` how likely as many samples are below it where samples and test images are
    exchangeable. Both need a test split; of its images those that are train images too say nothing, and are left out.

    Different is what is neither equal nor nearly so: a train image's neighbours are taken for the same picture, stored
    anew, if they lie less than ``NEAR`` times as far away as the next one, and as train images usually do.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "authenticity": Figure(
            "Authenticity", HIGHER, "Share of samples no nearer to a training image than that is to its own neighbours."
        ),
        "memorised": Figure(
            "Memorised",
            LOWER,
            "Share of samples nearer to a training image than 95 % of test images are; 0.05 is expected.",
            HELD_OUT,
        ),
        "memorisation_p": Figure(
            "p of memorisation",
            "",
            "How likely so many near samples are for a generator that copies nothing; small is a sign.",
            HELD_OUT,
        ),
    }
    needs = ("fake", "train", "test", "neighbours")

    def __call__(
        self,
        fake: Features,
        train: Features,
        test: Features | None,
        neighbours: tuple[Tensor, Tensor] | None = None,
    ) -> dict[str, float]:
        check_finite("memorisation", fake, train)
        if len(train.distinct) < 2:
            raise UnmeasurableError("memorisation: all train images are the same, so none has another as its neighbour")
        ratios, _ = neighbours or nearest(fake, train)
        figures = {"authenticity": float((ratios >= 1).double().mean())}
        honest = _held_out(test, train) if test is not None and len(test) else ratios[:0]
        if not len(honest):
            return figures
        kth = max(1, round(SHARE * len(honest)))
        below = int((ratios < honest.kthvalue(kth).values).sum())
        p = tail(below, kth, len(fake), len(honest))
        return figures | {"memorised": below / len(fake), "memorisation_p": p}


def nearest(fake: Features, train: Features) -> tuple[Tensor, Tensor]:
    """Each sample's ratio (N,) and the row of the train image that is nearest to it (N,); a copy has ratio 0."""
    away, spread, neighbours, _ = _around(fake, train)
    return torch.where(away == 0, away, away / spread), neighbours


def _held_out(test: Features, train: Features) -> Tensor:
    """Ratios of the test images that are not train images too: (M,)."""
    check_finite("memorisation", train, test)
    away, spread, _, usual = _around(test, train)
    same = (away < NEAR * spread) & (away < NEAR * usual)
    return (away / spread)[~same]


def _around(fake: Features, train: Features) -> tuple[Tensor, Tensor, Tensor, float]:
    """The distance of each sample's train image (N,), that one's from a different one (N,), its row (N,); `_usual`."""
    x, rows = fake.embeddings, train.distinct
    y = train.embeddings[rows]
    neighbours = [torch.empty(0, dtype=torch.long, device=y.device)]  # a rank may have no rows
    nearest_rows = torch.cat(neighbours + [squares.argmin(1) for _, squares in squared_distances(x, y)])
    centres, which = nearest_rows.unique(return_inverse=True)
    usual = _usual(y)
    spread = _different(_others(y, centres), usual)
    return _distance(x, y[nearest_rows]), spread[which], rows[nearest_rows], usual


def _others(y: Tensor, centres: Tensor) -> Tensor:
    """Distances of rows ``centres`` (C,) of y (M, F) from the nearest other rows: (C, OTHERS + 1), sorted, or inf."""
    distances = [y.new_empty(0, OTHERS + 1, dtype=torch.float64)]
    for part, squares in squared_distances(y[centres], y):
        block = centres[part]
        squares.scatter_(1, block[:, None], float("inf"))
        near = squares.topk(min(OTHERS + 1, len(y) - 1), dim=1, largest=False).indices
        ladder = torch.full((len(block), OTHERS + 1), float("inf"), dtype=torch.float64, device=y.device)
        for column in range(near.shape[1]):
            ladder[:, column] = _distance(y[block], y[near[:, column]])
        distances.append(ladder.sort(1).values)
    return torch.cat(distances)


def _different(ladder: Tensor, usual: float = float("inf")) -> Tensor:
    """The first distance in each row (C, OTHERS + 1) that is beyond the same picture, stored anew: (C,)."""
    nearer, farther = ladder[:, :-1], ladder[:, 1:]
    gaps = (nearer < NEAR * farther) & farther.isfinite() & (nearer < NEAR * usual)
    places = gaps * torch.arange(1, OTHERS + 1, device=ladder.device)
    return ladder.gather(1, places.amax(1, keepdim=True))[:, 0]


def _usual(y: Tensor) -> float:
    """The usual distance of a row of y (M, F) from the nearest different one: the median of ``SOME``."""
    return float(_different(_others(y, some_rows(len(y), SOME).to(y.device))).median())


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
