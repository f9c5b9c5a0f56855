"""Distance of restored images from the true ones in the features of the evaluation's own extractor."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from torch import Tensor

from ganflow.config.components import component
from ganflow.evaluation.metrics.base import LOWER, Figure, Metric
from ganflow.evaluation.metrics.features import Features, UnmeasurableError
from ganflow.evaluation.metrics.restoration.base import RESTORES, in_parts, resampled_means
from ganflow.evaluation.metrics.restoration.pairs import Pairs

Extract = Callable[[Tensor], Features]


@component("metric", "perceptual_distance")
class PerceptualDistance(Metric):
    """``‖f(y) − f(x)‖ / ‖f(x)‖`` of each restored image y and true one x; the mean over images.

    f are the extractor's features: those of the data's own classifier by default, of their four rotations where data
    have no classes. Figures compare under one extractor alone, and with no published ones; those are ``lpips``.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "perceptual_distance": Figure(
            "Distance of features", LOWER, "How far restored images are from the true ones for the extractor.",
            RESTORES,
        ),
        "perceptual_distance_simple": Figure(
            "Distance of features, simple method", "", "The same without a model: what to beat.", RESTORES
        ),
    }  # fmt: skip
    needs = ("pairs", "extract")
    bounded = "perceptual_distance"

    def __call__(self, pairs: Pairs, extract: Extract) -> dict[str, float]:
        distances = [relative_distance(made, pairs.target, extract) for made in (pairs.restored, pairs.simple)]
        return {name: float(each.mean()) for name, each in zip(self.figures, distances, strict=True)}

    def resampled(self, pairs: Pairs, extract: Extract, counts: Tensor) -> Tensor:
        """The model's mean in every resample, in which image i counts ``counts[b, i]`` times: (B, N) → (B,)."""
        return resampled_means(relative_distance(pairs.restored, pairs.target, extract), counts)


def relative_distance(made: Tensor, target: Tensor, extract: Extract) -> Tensor:
    """The distance of features of images (N, C, H, W), 0 to 255, as a share of the true one's length: (N,)."""

    def of_part(x: Tensor, y: Tensor) -> Tensor:
        of_made, of_true = (extract(images.float()).embeddings.double() for images in (x, y))
        share: Tensor = (of_made - of_true).norm(dim=1) / of_true.norm(dim=1)
        return share

    distances = in_parts(of_part, made, target)
    if not distances.isfinite().all():
        raise UnmeasurableError("the extractor sees nothing in some images; take another extractor")
    return distances
