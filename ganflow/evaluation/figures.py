"""What is known of each figure: what it says in plain words, which way is better, and what follows from some."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ganflow.evaluation.svg import number

LOWER, HIGHER = "↓ lower is better", "↑ higher is better"
SPREAD = ("_low", "_high", "_std")  # what these end belongs to the figure before
DOUBTFUL = 0.01  # a p-value below is a sign


@dataclass(frozen=True)
class Known:
    """A figure, in words."""

    label: str
    better: str
    says: str


KNOWN = {
    "fid": Known("FID", LOWER, "How far the features of samples lie from those of real images; 0 is alike."),
    "fid_infinity": Known("FID∞", LOWER, "FID as endlessly many samples would give it, without the bias of few."),
    "kid": Known("KID", LOWER, "How far features lie apart, without a bias from how many there are; near 0 is alike."),
    "intra_fid": Known("Intra-FID", LOWER, "FID within each class, the mean over classes."),
    "inception_score": Known("Inception Score", HIGHER, "How clear and how varied the classes of samples are."),
    "precision": Known("Precision", HIGHER, "Share of samples that lie among real images: how many look real."),
    "recall": Known("Recall", HIGHER, "Share of real images that lie among samples: how much of the data is made."),
    "density": Known("Density", HIGHER, "How densely real images lie around samples; about 1 for real images."),
    "ball_coverage": Known("Coverage of images", HIGHER, "Share of real images with a sample in their neighbourhood."),
    "coverage": Known("Coverage of classes", HIGHER, "Share of the data's classes that are made often enough."),
    "class_reverse_kl": Known("Reverse KL of classes", LOWER, "How far the mix of classes is from the data's."),
    "modes": Known("Modes", HIGHER, "How many modes (of images: classes) have at least one sample."),
    "high_quality": Known("High quality", HIGHER, "Share of samples that lie close to a mode."),
    "reverse_kl": Known("Reverse KL", LOWER, "How unevenly samples fall on the modes, in nats; 0 is evenly."),
    "diversity": Known("Diversity", HIGHER, "How much samples differ from each other."),
    "authenticity": Known("Authenticity", HIGHER, "Share of samples that keep their distance from training images."),
    "memorised": Known(
        "Memorised", "0.05 is expected, more is worse",
        "Share of samples nearer to a training image than 95 % of test images are.",
    ),
    "memorisation_p": Known(
        "p of memorisation", "small is a sign of copies",
        "How likely so many near samples are for a generator that copies nothing.",
    ),
    "ppl": Known("Perceptual path length", LOWER, "How abruptly pictures change on the ways between latents."),
    "cas": Known("Classifier from samples", HIGHER, "Accuracy on real images of a classifier that saw samples alone."),
    "cas_real": Known("Classifier from real images", "", "The same, trained on real images: the measure."),
    "cas_both": Known("Classifier from both", HIGHER, "The same, trained on both; above the measure, samples help."),
}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """What can be told without an expert."""

    good: bool
    text: str


def verdicts(figures: Mapping[str, Any], classes: int) -> list[Verdict]:
    """What follows from the figures in plain words; ``classes`` of the reference, 0 where unknown."""
    told = []
    p, covered, modes = (_finite(figures.get(name)) for name in ("memorisation_p", "coverage", "modes"))
    if p is not None:
        copied = "Samples lie closer to training images than held-out images do"
        said = copied if p < DOUBTFUL else "Memorisation: no sign"
        told.append(Verdict(p >= DOUBTFUL, f"{said} (p = {number(p, 2)})"))
    made = modes if covered is None else covered * classes
    if classes and made is not None:
        told.append(Verdict(round(made) >= classes, f"Classes made: {round(made)} of {classes}"))
    return told


def _finite(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
