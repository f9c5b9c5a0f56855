"""Area under the ROC curve of the pixels of anomaly maps."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.evaluation.metrics.base import HIGHER, Figure
from ganflow.evaluation.metrics.detection.base import DETECTS, FINE, MapMetric
from ganflow.evaluation.metrics.detection.ranking import area, passed_pixels


@component("metric", "pixel_auroc")
class PixelAUROC(MapMetric):
    """The probability that an anomalous pixel scores higher than a normal one; equal scores count half."""

    figures: ClassVar[Mapping[str, Figure]] = {
        "pixel_auroc": Figure(
            "AUROC of pixels", HIGHER, "How often an anomalous pixel scores above a normal one.", DETECTS
        ),
        "pixel_auroc_pca": Figure(
            "AUROC of pixels by PCA", "", "The same by principal components of train images: to beat.", FINE
        ),
    }
    bounded = "pixel_auroc"

    def of_maps(self, maps: Tensor, masks: Tensor, counts: Tensor) -> Tensor:
        """AUROC of the pixels of every weighting: (B,)."""
        curves = passed_pixels(maps, masks.double(), (~masks).double(), counts)
        return torch.cat([area(alarms, hits) for hits, alarms in curves])
