"""False alarms and recall at a threshold that is set without anomalies."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.evaluation.metrics.base import HIGHER, LOWER, Figure, Metric
from ganflow.evaluation.metrics.detection.base import DETECTS, check_scores
from ganflow.evaluation.metrics.detection.ranking import measured
from ganflow.evaluation.metrics.detection.scored import Detection
from ganflow.evaluation.metrics.features import UnmeasurableError


@component("metric", "false_alarm")
class FalseAlarm(Metric):
    """Shares of the test images that score above a threshold, as a detector in use would have it.

    The threshold is the ``quantile`` of the scores of held-out normal images alone, so about ``1 − quantile`` of normal
    images are expected to alarm. ``threshold_alarm``: of the normal test images. ``threshold_recall``: of the anomalous
    ones.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "threshold_alarm": Figure(
            "False alarms at the threshold", LOWER, "Normal images above a threshold set without anomalies.", DETECTS
        ),
        "threshold_recall": Figure(
            "Recall at the threshold", HIGHER, "Anomalous images above a threshold set without anomalies.", DETECTS
        ),
    }
    needs = ("detection",)
    bounded = "threshold_recall"

    def __init__(self, quantile: float = 0.99) -> None:
        require(0 < quantile < 1, "quantile", quantile, "more than 0, less than 1")
        self.quantile = quantile

    def __call__(self, detection: Detection) -> dict[str, float]:
        check_scores(detection)
        alarms = detection.scores > self.threshold(detection.held_out)
        return {
            "threshold_alarm": float(alarms[~detection.anomalous].double().mean()),
            "threshold_recall": float(alarms[detection.anomalous].double().mean()),
        }

    def threshold(self, held_out: Tensor) -> Tensor:
        """The score that images have to exceed, from those of held-out normal images (K,); between two of them linear.

        Raises:
            UnmeasurableError: none were held out, or their scores are not finite.
        """
        if not len(held_out):
            raise UnmeasurableError("the threshold needs normal images that are held out of training")
        if not held_out.isfinite().all():
            raise UnmeasurableError("scores of held-out images hold NaN or infinity; the model has diverged")
        return torch.quantile(held_out.double(), self.quantile)

    def resampled(self, detection: Detection, counts: Tensor) -> Tensor:
        """Recall of every resample of the test images that has anomalous ones: (B, N) → (at most B,)."""
        alarms = detection.scores > self.threshold(detection.held_out)
        weights = counts.to(detection.scores.device) * detection.anomalous
        return measured(weights @ alarms.to(weights) / weights.sum(1))
