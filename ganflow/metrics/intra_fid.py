"""Intra-FID (Miyato & Koyama, 2018): the Fréchet distance within a class, averaged over the classes."""

from collections.abc import Mapping
from typing import ClassVar

from ganflow.component import component
from ganflow.metrics.features import Features, check_finite
from ganflow.metrics.fid import frechet_distance, moments
from ganflow.metrics.figure import LOWER, Figure, UnmeasurableError


@component("metric", "intra_fid")
class IntraFID:
    """How far samples of a class that was asked for are from the data's images of it. Lower is better.

    FID sees neither samples of the wrong class nor a class without variety as long as the mixture is right. A class
    often has fewer images than features; its figure then has a bias that models share as long as the numbers of
    samples do. Nothing is said where generator or data have no labels.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "intra_fid": Figure("Intra-FID", LOWER, "FID within each class, the mean over classes."),
    }

    def __call__(self, fake: Features, real: Features) -> dict[str, float]:
        check_finite("intra_fid", fake, real)
        distances = by_class(fake, real)
        return {"intra_fid": sum(distances.values()) / len(distances)} if distances else {}


def by_class(fake: Features, real: Features) -> dict[int, float]:
    """Fréchet distance of every class of the reference, by label; none where either has no labels.

    Raises:
        UnmeasurableError: a class has fewer than two samples or two reference images.
    """
    if fake.labels is None or real.labels is None:
        return {}
    distances = {}
    for label in real.labels.unique().tolist():
        x, y = (f.embeddings[(f.labels == label).to(f.embeddings.device)] for f in (fake, real))
        if min(len(x), len(y)) < 2:
            has = f"class {label} has {len(x)} samples and {len(y)} reference images, and needs 2 of each"
            raise UnmeasurableError(f"intra_fid: {has}; raise evaluation.samples, or leave intra_fid out")
        distances[label] = frechet_distance(*moments(y), *moments(x))
    return distances
