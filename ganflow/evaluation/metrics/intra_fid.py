"""Intra-FID (Miyato & Koyama, 2018): the Fréchet distance within a class, averaged over the classes."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from ganflow.config.components import component
from ganflow.evaluation.metrics.base import LABELS, LOWER, Figure, Metric
from ganflow.evaluation.metrics.features import Features, UnmeasurableError, check_finite
from ganflow.evaluation.metrics.fid import frechet_distance, moments


@component("metric", "intra_fid")
class IntraFID(Metric):
    """The distance of samples of a class that was asked for from the data's images of it. Lower is better.

    FID sees neither samples of the wrong class nor a class without variety as long as the mixture is right. A class
    often has fewer images than features; its figure then has a bias that models share as long as the numbers of
    samples do. A class with a single reference image has no variance to be held against, so the mean is over the
    others, for every model alike. Nothing is said where generator or data have no labels.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "intra_fid": Figure("Intra-FID", LOWER, "FID within each class, the mean over classes.", LABELS),
    }

    def __call__(self, fake: Features, real: Features) -> dict[str, float]:
        check_finite("intra_fid", fake, real)
        if fake.labels is None or real.labels is None:
            return {}
        few = next((f"class {label} has {n} samples" for label, n in _samples(fake, real).items() if n < 2), None)
        if few is not None:
            # Without the class, a generator that fails at it would be the better one.
            raise UnmeasurableError(f"intra_fid: {few}, and needs 2; raise evaluation.samples, or leave intra_fid out")
        distances = by_class(fake, real)
        if not distances:
            raise UnmeasurableError("intra_fid: no class has 2 reference images")
        return {"intra_fid": sum(distances.values()) / len(distances)}


def by_class(fake: Features, real: Features) -> dict[int, float]:
    """Fréchet distance by label of every class with two samples and two reference images at least.

    There is none where either has no labels.
    """
    distances = {}
    for label in (label for label, n in _samples(fake, real).items() if n > 1):
        x, y = (f.embeddings[_of(f, label)] for f in (fake, real))
        distances[label] = frechet_distance(*moments(y), *moments(x))
    return distances


def single(real: Features) -> list[int]:
    """Labels of the classes with a single reference image."""
    if real.labels is None:
        return []
    labels, counts = real.labels.unique(return_counts=True)
    alone: list[int] = labels[counts == 1].tolist()
    return alone


def _samples(fake: Features, real: Features) -> dict[int, int]:
    """The number of samples of each class that has more than one reference image, by label."""
    if fake.labels is None or real.labels is None:
        return {}
    alone = single(real)
    return {label: int(_of(fake, label).sum()) for label in real.labels.unique().tolist() if label not in alone}


def _of(features: Features, label: int) -> Tensor:
    assert features.labels is not None
    return (features.labels == label).to(features.embeddings.device)
