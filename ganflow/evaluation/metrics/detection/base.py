"""The bases of metrics that hold scores of images, or maps of pixels, against the truth."""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from ganflow.errors import require
from ganflow.evaluation.metrics.base import Metric
from ganflow.evaluation.metrics.detection.ranking import measured
from ganflow.evaluation.metrics.detection.scored import Detection
from ganflow.evaluation.metrics.detection.simple_detectors import pca_residuals
from ganflow.evaluation.metrics.features import UnmeasurableError

DETECTS = "a model that detects anomalies"
FINE = f"{DETECTS}, by maps as fine as its images"
CHANNELS = (1, 3)  # of images, whose values are then a multiple of the pixels of a map as fine
SHARES = "more than 0, at most 0.999"


class ScoreMetric(Metric):
    """A figure of the scores of test images, from every threshold that they may be held against."""

    needs: ClassVar[tuple[str, ...]] = ("detection",)

    @abstractmethod
    def of_scores(self, scores: Tensor, anomalous: Tensor, counts: Tensor) -> Tensor:
        """The figure of every weighting (B, N) of N scored images: (B,); NaN where either kind weighs nothing."""

    def __call__(self, detection: Detection) -> dict[str, float]:
        check_scores(detection)
        return {self.bounded: self.of_all(detection.scores, detection.anomalous)}

    def of_all(self, scores: Tensor, anomalous: Tensor) -> float:
        """The figure of scores (N,) that count once each."""
        return float(self.of_scores(scores, anomalous, torch.ones_like(scores, dtype=torch.float64)[None]))

    def resampled(self, detection: Detection, counts: Tensor) -> Tensor:
        """The model's figure of every resample that has both kinds of images: (B, N) → (at most B,)."""
        counts = counts.to(detection.scores.device)
        return measured(self.of_scores(detection.scores, detection.anomalous, counts))


def check_scores(detection: Detection) -> None:
    """Refuse test images of one kind, and scores that are not finite.

    Raises:
        UnmeasurableError: with the reason.
    """
    anomalies = int(detection.anomalous.sum())
    for kind, number in (("anomalous", anomalies), ("normal", len(detection) - anomalies)):
        if not number:
            raise UnmeasurableError(f"the test split has no {kind} images")
    if not detection.scores.isfinite().all():
        raise UnmeasurableError("anomaly scores hold NaN or infinity; the model has diverged")


class MapMetric(Metric):
    """A figure of anomaly maps, and the same of maps that principal components make of the train images.

    The first of its ``figures`` is the model's and has the interval, from resamples of whole images; the second is that
    of the components' errors, the mean over channels, and is left out where maps are coarser than images.

    Args:
        pca_variance: share of the train images' variance that the components hold; test images have no say in it.
    """

    needs: ClassVar[tuple[str, ...]] = ("detection",)

    def __init__(self, pca_variance: float = 0.95) -> None:
        require(0 < pca_variance <= 0.999, "pca_variance", pca_variance, SHARES)
        self.pca_variance = pca_variance

    @abstractmethod
    def of_maps(self, maps: Tensor, masks: Tensor, counts: Tensor) -> Tensor:
        """The figure of maps (N, H, W) for every weighting (B, N) of images: (B,); NaN where either kind is missing."""

    def __call__(self, detection: Detection) -> dict[str, float]:
        masks = checked_masks(detection)
        counts = torch.ones(1, len(detection), dtype=torch.float64, device=masks.device)
        maps = [detection.maps, *self._simple(detection)]
        return {name: float(self.of_maps(x, masks, counts)) for name, x in zip(self.figures, maps, strict=False)}

    def resampled(self, detection: Detection, counts: Tensor) -> Tensor:
        """The model's figure of every resample that has both kinds of pixels: (B, N) → (at most B,)."""
        masks = checked_masks(detection)
        return measured(self.of_maps(detection.maps, masks, counts.to(masks.device)))

    def _simple(self, detection: Detection) -> list[Tensor]:
        """Maps by principal components; none where maps have not as many pixels as images."""
        n, values = detection.images.shape
        pixels = detection.maps[:1].numel()
        if values not in [pixels * channels for channels in CHANNELS]:
            return []
        errors = pca_residuals(detection.images, detection.normal, self.pca_variance)
        return [errors.reshape(n, -1, *detection.maps.shape[1:]).mean(1)]


def checked_masks(detection: Detection) -> Tensor:
    """The true masks (N, H, W), of which some pixels are anomalous and some are not.

    Raises:
        UnmeasurableError: the data have no masks, or pixels of one kind; or maps are not finite.
    """
    if detection.masks is None:
        raise UnmeasurableError("the test split has no masks")
    for kind, lacks in (("anomalous", not detection.masks.any()), ("normal", bool(detection.masks.all()))):
        if lacks:
            raise UnmeasurableError(f"the masks of the test split have no {kind} pixels")
    if not detection.maps.isfinite().all():
        raise UnmeasurableError("anomaly maps hold NaN or infinity; the model has diverged")
    return detection.masks
