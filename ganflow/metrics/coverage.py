"""Class coverage: how many of the data's classes the generator still makes."""

import torch

from ganflow.component import component
from ganflow.errors import require
from ganflow.metrics.features import Features, check_finite


@component("metric", "coverage")
class ClassCoverage:
    """Share of the reference's classes that samples are recognised as at least ``threshold`` times as often.

    A class is covered when its share among samples is at least ``threshold`` of its share in the reference, both by
    the extractor's own recognition. Nothing is said of data without classes.
    """

    def __init__(self, threshold: float = 0.25) -> None:
        require(0 < threshold <= 1, "threshold", threshold, "more than 0, at most 1")
        self.threshold = threshold

    def __call__(self, fake: Features, real: Features) -> dict[str, float]:
        check_finite("coverage", fake)
        classes = real.classes
        if not classes:
            return {}
        expected, found = (torch.bincount(f.recognised, minlength=classes).double() / len(f) for f in (real, fake))
        present = expected > 0
        covered = (found >= self.threshold * expected) & present
        return {"coverage": int(covered.sum()) / int(present.sum())}
