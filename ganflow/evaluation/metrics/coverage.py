"""Class coverage: how many of the data's classes the generator still makes, and how evenly."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.evaluation.metrics.base import CLASSES, HIGHER, LOWER, Figure, Metric
from ganflow.evaluation.metrics.features import Features, check_finite


@component("metric", "coverage")
class ClassCoverage(Metric):
    """The reference's classes that samples are recognised as, and their shares, by the extractor's own recognition.

    ``coverage``: share of the reference's classes whose share among samples is at least ``threshold`` of that in the
    reference. ``class_reverse_kl``: of the samples' classes from the reference's. Nothing is said of data without
    classes.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "coverage": Figure(
            "Coverage of classes", HIGHER, "Share of the data's classes that are made often enough.", CLASSES
        ),
        "class_reverse_kl": Figure(
            "Reverse KL of classes", LOWER, "How far the mix of classes is from the data's, in nats.", CLASSES
        ),
    }

    bounded = "coverage"
    smooth = False  # it counts classes

    def __init__(self, threshold: float = 0.25) -> None:
        require(0 < threshold <= 1, "threshold", threshold, "more than 0, at most 1")
        self.threshold = threshold

    def __call__(self, fake: Features, real: Features) -> dict[str, float]:
        check_finite("coverage", fake, real)
        if not real.classes:
            return {}
        drawn, expected = (torch.bincount(f.recognised, minlength=real.classes).double() for f in (fake, real))
        covered = self._covered(drawn[None] / len(fake), expected / len(real))
        return {"coverage": float(covered), "class_reverse_kl": class_reverse_kl(drawn, expected)}

    def resampled(self, fake: Features, real: Features, counts: Tensor) -> Tensor:
        """``coverage`` of every resample, in which sample i counts ``counts[b, i]`` times: (B, N) → (B,)."""
        expected = torch.bincount(real.recognised, minlength=real.classes).double() / len(real)
        drawn = counts.new_zeros(len(counts), real.classes).index_add_(1, fake.recognised.to(counts.device), counts)
        return self._covered(drawn / counts.sum(1, keepdim=True), expected.to(counts.device))

    def _covered(self, drawn: Tensor, expected: Tensor) -> Tensor:
        """Share of the classes present in ``expected`` (K,) that each row of ``found`` (B, K) covers: (B,)."""
        present = expected > 0
        return ((drawn >= self.threshold * expected) & present).sum(1).double() / present.sum()


def class_reverse_kl(drawn: Tensor, expected: Tensor) -> float:
    """``KL(p_fake ‖ p_real) = Σ p_k log(p_k / q_k)`` of two counts of K classes (K,), in nats.

    Half a count is added to each of the reference's classes (Krichevsky & Trofimov, 1981), so one that it lacks costs
    much and not everything.
    """
    p = drawn / drawn.sum()
    q = (expected + 0.5) / (expected.sum() + 0.5 * len(expected))
    return float((torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum())
