"""Classification accuracy score (Ravuri & Vinyals, 2019)."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from ganflow.config.components import component
from ganflow.evaluation.metrics.base import HIGHER, LABELS, Figure, Metric

NEEDS = f"{LABELS}, and a test split"


@component("metric", "cas")
class ClassificationAccuracyScore(Metric):
    """Accuracy on the data's test images of a classifier that has only seen samples and the classes asked for.

    ``cas``: trained on samples. ``cas_real``: the same classifier trained on as many real images, which is what to
    compare it with. ``cas_both``: trained on both; above ``cas_real`` where samples serve as augmentation of the data.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "cas": Figure(
            "Classifier from samples", HIGHER, "Accuracy on real images of a classifier that saw samples alone.", NEEDS
        ),
        "cas_real": Figure("Classifier from real images", "", "The same, trained on real images: the measure.", NEEDS),
        "cas_both": Figure(
            "Classifier from both", HIGHER, "The same, trained on both; above the measure, samples help.", NEEDS
        ),
    }
    needs = ("accuracy_of",)

    def __call__(self, accuracy_of: Callable[..., float]) -> dict[str, float]:
        return {
            "cas": accuracy_of("generated"),
            "cas_real": accuracy_of("real"),
            "cas_both": accuracy_of("real", "generated"),
        }
