"""Anomaly scores and maps beside the truth: the input of metrics of detection."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Detection:
    """Anomaly scores and maps of the test split, and what simple methods are made from.

    Attributes:
        scores: float64 (N,); the higher, the more anomalous.
        maps: float32 (N, H, W), the same of every pixel.
        anomalous: bool (N,), the truth.
        masks: bool (N, H, W), the truth of every pixel; None where it is not known.
        images: float32 (N, F), the test images themselves, in [-1, 1].
        normal: float32 (M, F), the train images, all of them normal.
        held_out: float64 (K,), scores of normal images that neither training nor the test split has.
        rescore: from images (N, F) and any reconstructions of them to the scores (N,) that the model would give these;
            None where it is not known.
    """

    scores: Tensor
    maps: Tensor
    anomalous: Tensor
    masks: Tensor | None
    images: Tensor
    normal: Tensor
    held_out: Tensor
    rescore: Callable[[Tensor, Tensor], Tensor] | None = None

    def __len__(self) -> int:
        return len(self.scores)
