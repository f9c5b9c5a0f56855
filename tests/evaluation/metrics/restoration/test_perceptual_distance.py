import pytest
import torch
from torch import Tensor

from ganflow.evaluation import bootstrap
from ganflow.evaluation.extractors.pixels import PixelExtractor
from ganflow.evaluation.metrics.features import Features, UnmeasurableError
from ganflow.evaluation.metrics.restoration.perceptual_distance import PerceptualDistance, relative_distance
from tests.evaluation.metrics.restoration.made import pairs, repeated


def extract(images: Tensor) -> Features:
    """Means and deviations of the channels."""
    return Features(torch.cat([images.mean((2, 3)), images.std((2, 3))], 1), images.new_empty(len(images), 0))


def reference(made: Tensor, target: Tensor) -> float:
    each = []
    for image, true in zip(made.float(), target.float(), strict=True):
        of_made, of_true = (extract(x[None]).embeddings[0].double() for x in (image, true))
        each.append(float(((of_made - of_true) ** 2).sum().sqrt() / (of_true**2).sum().sqrt()))
    return sum(each) / len(each)


def test_it_is_the_share_that_separates_the_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganflow.evaluation.metrics.restoration.base.BLOCK", 3000)  # a few images at a time
    images = pairs()
    figures = PerceptualDistance()(images, extract)
    assert figures["perceptual_distance"] == pytest.approx(reference(images.restored, images.target), rel=1e-5)
    assert figures["perceptual_distance_simple"] == pytest.approx(reference(images.simple, images.target), rel=1e-5)
    assert 0 < figures["perceptual_distance"] < figures["perceptual_distance_simple"]


def test_equal_images_are_at_no_distance_and_black_ones_at_their_own_length() -> None:
    images = pairs(3)
    assert relative_distance(images.target, images.target, extract).tolist() == [0, 0, 0]
    black = torch.zeros_like(images.target)
    assert relative_distance(black, images.target, PixelExtractor()).tolist() == pytest.approx([1, 1, 1])


def test_a_resample_s_figure_is_that_of_the_images_repeated() -> None:
    images, counts, metric = pairs(), bootstrap.counts(7, 20), PerceptualDistance()
    expected = [metric(repeated(images, row), extract)["perceptual_distance"] for row in counts]
    assert len(set(expected)) > 10
    torch.testing.assert_close(metric.resampled(images, extract, counts=counts).tolist(), expected, rtol=1e-6, atol=0)


def test_an_extractor_that_sees_nothing_says_so() -> None:
    images = pairs(2)
    with pytest.raises(UnmeasurableError, match="sees nothing in some images"):
        PerceptualDistance()(images, lambda x: Features(torch.zeros(len(x), 3), torch.zeros(len(x), 0)))
