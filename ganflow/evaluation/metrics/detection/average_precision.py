"""Average precision of anomaly scores."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.evaluation.metrics.base import HIGHER, Figure
from ganflow.evaluation.metrics.detection.base import DETECTS, ScoreMetric
from ganflow.evaluation.metrics.detection.ranking import Ranking


@component("metric", "average_precision")
class AveragePrecision(ScoreMetric):
    """``Σ (Rₙ − Rₙ₋₁) Pₙ`` over all thresholds: recall R and precision P of anomalous images, without interpolation.

    It depends on the share of anomalies in the test split, which is its value for scores at random.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "average_precision": Figure(
            "Average precision", HIGHER, "How pure the images of the highest scores are, over all thresholds.", DETECTS
        ),
    }
    bounded = "average_precision"

    def of_scores(self, scores: Tensor, anomalous: Tensor, counts: Tensor) -> Tensor:
        """Average precision of every weighting: (B,)."""
        return weighted_average_precision(scores, anomalous, counts)


def weighted_average_precision(scores: Tensor, anomalous: Tensor, counts: Tensor) -> Tensor:
    """Average precision of scores (N,), of which ``anomalous`` (N,) should be high, for weights (B, N): (B,)."""
    ranking, (positive, negative) = Ranking.of(scores), (counts * anomalous, counts * ~anomalous)
    recall = ranking.passed(positive)
    hits, alarms = recall * positive.sum(1, keepdim=True), ranking.passed(negative) * negative.sum(1, keepdim=True)
    precision = torch.where(recall > 0, hits / (hits + alarms), 0)
    return (recall.diff(dim=1) * precision[:, 1:]).sum(1)
