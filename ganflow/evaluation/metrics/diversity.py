"""Diversity: how far samples are from each other, against the data's own spread."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.evaluation.metrics.base import HIGHER, Figure, Metric
from ganflow.evaluation.metrics.features import Features, UnmeasurableError, check_finite

SEED = 0  # of the pairs: the same samples get the same figure


@component("metric", "diversity")
class Diversity(Metric):
    """Mean distance of two samples in feature space over that of two reference images; a collapsed generator has 0.

    It is 1 where samples are as diverse as the data. Estimated from ``pairs`` random pairs of either kind.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "diversity": Figure(
            "Diversity", HIGHER, "How much samples differ from each other; 1 is as much as the data do."
        ),
    }

    def __init__(self, pairs: int = 10_000) -> None:
        require(pairs > 0, "pairs", pairs, "must be at least 1")
        self.pairs = pairs

    def __call__(self, fake: Features, real: Features) -> dict[str, float]:
        check_finite("diversity", fake, real)
        of_samples, data = (mean_distance(f.embeddings, self.pairs) for f in (fake, real))
        if not data:
            raise UnmeasurableError("diversity: all reference images have the same features; leave diversity out")
        return {"diversity": of_samples / data}


def mean_distance(x: Tensor, pairs: int) -> float:
    """Mean Euclidean distance of ``pairs`` random pairs of different rows of x (N, F)."""
    rng = np.random.default_rng(SEED)
    first = rng.integers(0, len(x), pairs)
    second = (first + rng.integers(1, len(x), pairs)) % len(x)
    a, b = (x[torch.from_numpy(rows).to(x.device)].double() for rows in (first, second))
    return float((a - b).norm(dim=1).mean())
