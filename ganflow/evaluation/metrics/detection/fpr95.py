"""False positive rate at 95 % recall of anomalies."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.evaluation.metrics.base import LOWER, Figure
from ganflow.evaluation.metrics.detection.base import DETECTS, ScoreMetric
from ganflow.evaluation.metrics.detection.ranking import Ranking

RECALL = 0.95


@component("metric", "fpr95")
class FPR95(ScoreMetric):
    """Share of normal test images that alarm at the highest threshold that finds 95 % of the anomalous ones.

    The threshold comes from the test split itself; that of ``false_alarm`` does not.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "fpr95": Figure("FPR at 95 % recall", LOWER, "Normal images that alarm when 95 % of anomalies do.", DETECTS),
    }
    bounded = "fpr95"
    smooth = False  # it jumps from one normal image to the next

    def of_scores(self, scores: Tensor, anomalous: Tensor, counts: Tensor) -> Tensor:
        """The false positive rate of every weighting: (B,)."""
        return false_positive_rate(scores, anomalous, counts)


def false_positive_rate(scores: Tensor, anomalous: Tensor, counts: Tensor, recall: float = RECALL) -> Tensor:
    """The least share of normal scores that pass where at least ``recall`` of anomalous ones do, by weights: (B,)."""
    ranking = Ranking.of(scores)
    hits, alarms = ranking.passed(counts * anomalous), ranking.passed(counts * ~anomalous)
    rates = torch.where(hits >= recall, alarms, 1).amin(1)
    return torch.where(hits[:, -1].isnan(), hits[:, -1], rates)
