import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchmetrics.image.inception import InceptionScore as Reference

from ganflow.errors import ConfigError, GanflowError
from ganflow.evaluation.metrics.base import Measurement
from ganflow.evaluation.metrics.features import Features
from ganflow.evaluation.metrics.inception_score import InceptionScore


def features(logits: Tensor) -> Features:
    return Features(torch.zeros(len(logits), 1), logits)


def score(logits: Tensor, splits: int = 10) -> dict[str, Measurement]:
    return InceptionScore(splits)(features(logits), features(logits))


def drawn(n: int, classes: int, seed: int, spread: float = 2.0) -> Tensor:
    return spread * torch.randn(n, classes, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def by_definition(logits: Tensor, splits: int) -> list[float]:
    """Salimans et al. (2016), section 4, in probabilities."""
    p = np.exp(logits.numpy())
    p /= p.sum(1, keepdims=True)
    return [
        float(np.exp(np.mean([(row * np.log(row / part.mean(0))).sum() for row in part])))
        for part in np.array_split(p, splits)
    ]


@pytest.mark.parametrize("splits", [1, 10])
def test_figures_are_those_of_the_definition(splits: int) -> None:
    logits = drawn(205, 7, 0)
    expected = by_definition(logits, splits)
    figure = score(logits, splits)["inception_score"]
    assert figure.value == pytest.approx(np.mean(expected), rel=1e-10)
    assert figure.std == pytest.approx(np.std(expected), rel=1e-10)


def test_it_is_torchmetrics_inception_score() -> None:
    class Logits(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return drawn(300, 12, 1)

    reference = Reference(feature=Logits(), splits=1)
    reference.update(torch.zeros(300, 3, 4, 4, dtype=torch.uint8))
    figure = score(drawn(300, 12, 1), 1)["inception_score"]
    assert figure.value == pytest.approx(float(reference.compute()[0]), rel=1e-6)


def test_known_answers() -> None:
    sure = 1000.0 * torch.eye(5, dtype=torch.float64)
    figure = score(sure.repeat(20, 1), 2)["inception_score"]
    assert (figure.value, figure.std) == pytest.approx((5, 0))
    assert score(sure[:1].repeat(100, 1))["inception_score"].value == pytest.approx(1)  # one class
    assert score(torch.zeros(100, 5))["inception_score"].value == pytest.approx(1)  # no idea


def test_without_classes_nothing_is_said() -> None:
    assert score(torch.empty(50, 0)) == {}
    assert score(torch.empty(50, 3, 10)) == {}  # stacked images: a class per channel


def test_what_cannot_be_split_is_refused() -> None:
    with pytest.raises(GanflowError) as refused:
        score(torch.zeros(9, 5))
    assert str(refused.value) == "inception_score: 9 samples do not fill 10 splits"
    with pytest.raises(ConfigError, match="splits=0: must be at least 1"):
        InceptionScore(0)
