"""Inception Score (Salimans et al., 2016), by the class probabilities of any extractor."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.evaluation.metrics.base import HIGHER, Figure, Measurement, Metric
from ganflow.evaluation.metrics.features import Features, UnmeasurableError, check_finite


@component("metric", "inception_score")
class InceptionScore(Metric):
    """``exp(E[KL(p(y|x) ‖ p(y))])``: mean and standard deviation over ``splits`` of the samples. Higher is better.

    It is 1 when every sample looks alike or none is clear, and at most the number of classes. It knows nothing of the
    data, so a generator of one perfect image per class scores best. Nothing is said where the extractor has no classes.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "inception_score": Figure(
            "Inception Score",
            HIGHER,
            "How clear and how varied the classes of samples are.",
            "an extractor that knows classes",
        ),
    }

    def __init__(self, splits: int = 10) -> None:
        require(splits > 0, "splits", splits, "must be at least 1")
        self.splits = splits

    def fewest(self, features: int) -> int:
        """Samples that fill the splits."""
        return self.splits

    def __call__(self, fake: Features, real: Features) -> dict[str, Measurement]:
        check_finite("inception_score", fake)
        if fake.logits.ndim > 2 or not fake.logits.shape[1]:
            return {}
        if len(fake) < self.splits:
            raise UnmeasurableError(f"inception_score: {len(fake)} samples do not fill {self.splits} splits")
        log_p = fake.logits.double().log_softmax(1)
        scores = torch.stack([_score(part) for part in log_p.tensor_split(self.splits)])
        return {"inception_score": Measurement(float(scores.mean()), std=float(scores.std(correction=0)))}


def _score(log_p: Tensor) -> Tensor:
    """The score of log-probabilities (N, K)."""
    marginal = log_p.exp().mean(0)
    divergence = (log_p.exp() * log_p).sum(1).mean() - torch.special.xlogy(marginal, marginal).sum()
    score: Tensor = divergence.exp()
    return score
