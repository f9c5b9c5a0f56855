"""Modes captured, share of high-quality samples and reverse KL: the figures of PacGAN's tables (Lin et al., 2018)."""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.evaluation.metrics.base import CLASSES, HIGHER, LOWER, Figure, Metric
from ganflow.evaluation.metrics.features import Features, check_finite


@component("metric", "modes")
class Modes(Metric):
    """The evenness with which samples fall on the classes of the data, each of which is a mode.

    A point is of high quality within ``within`` σ of a mode, and only such samples count; of images all count.

    Figures: ``modes`` with at least one sample, ``high_quality`` (share of the samples, of points only),
    ``reverse_kl`` of the samples over the modes from uniform. Nothing is said of data without classes.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "modes": Figure("Modes", HIGHER, "How many modes (of images: classes) have at least one sample.", CLASSES),
        "high_quality": Figure(
            "High quality", HIGHER, "Share of samples that lie close to a mode.", "points of a known mixture"
        ),
        "reverse_kl": Figure(
            "Reverse KL", LOWER, "How unevenly samples fall on the modes, in nats; 0 is evenly.", CLASSES
        ),
    }

    signals = ("image", "points")
    bounded = "high_quality"

    def __init__(self, within: float = 3.0) -> None:
        require(within > 0, "within", within, "must be more than 0")
        self.within = within

    def __call__(self, fake: Features, real: Features) -> dict[str, float]:
        check_finite("modes", fake)
        if not fake.classes:
            return {}
        modes = fake.recognised
        if fake.distances is None:
            return spread(torch.bincount(modes, minlength=fake.classes))
        good = fake.distances < self.within
        counts = torch.bincount(modes[good], minlength=fake.classes)
        return {"high_quality": float(good.double().mean())} | spread(counts)

    def resampled(self, fake: Features, real: Features, counts: Tensor) -> Tensor:
        """``high_quality`` of every resample, in which sample i counts ``counts[b, i]`` times: (B, N) → (B,)."""
        assert fake.distances is not None  # of points, which alone have this figure
        return counts @ (fake.distances < self.within).to(counts) / counts.sum(1)


def spread(counts: Tensor) -> dict[str, float]:
    """Modes captured and reverse KL of samples per mode (K,)."""
    return {"modes": float((counts > 0).sum()), "reverse_kl": reverse_kl(counts)}


def reverse_kl(counts: Tensor) -> float:
    """``KL(p ‖ u) = Σ p_k log(K p_k)`` of the shares p of K modes from the uniform u, in nats.

    It is 0 when all modes get as many samples, and log K, the most there is, when one gets all. Where none has a
    sample it is log K too.
    """
    modes, total = len(counts), float(counts.sum())
    if not total:
        return math.log(modes)
    p = counts[counts > 0].double() / total
    return float((p * (modes * p).log()).sum())
