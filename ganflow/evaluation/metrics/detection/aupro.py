"""Area under the per-region overlap curve (Bergmann et al., 2021)."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.evaluation.metrics.base import HIGHER, Figure
from ganflow.evaluation.metrics.detection.base import DETECTS, FINE, MapMetric
from ganflow.evaluation.metrics.detection.ranking import area, passed_pixels

LIMIT = 0.3  # the false positive rate of normal pixels up to which it is integrated


@component("metric", "aupro")
class AUPRO(MapMetric):
    """The share of each anomalous region that is found, over false positive rates of pixels up to 0.3.

    Every region counts the same, whatever its size: pixels that touch at a side or a corner. The curve has a point at
    every distinct score of a pixel, lines between them, and its area is divided by 0.3 (Bergmann et al., 2021, section
    5.3).
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "aupro": Figure("AUPRO", HIGHER, "How much of each anomalous region is found at few false alarms.", DETECTS),
        "aupro_pca": Figure("AUPRO of PCA", "", "The same by principal components of train images: to beat.", FINE),
    }
    bounded = "aupro"

    def of_maps(self, maps: Tensor, masks: Tensor, counts: Tensor) -> Tensor:
        """AUPRO of every weighting of images: (B,)."""
        return weighted_aupro(maps, masks, counts)


def weighted_aupro(maps: Tensor, masks: Tensor, counts: Tensor, limit: float = LIMIT) -> Tensor:
    """AUPRO of maps and masks (N, H, W) for weights (B, N) of images: (B,)."""
    curves = passed_pixels(maps, region_weights(masks), (~masks).double(), counts)
    return torch.cat([area(alarms, overlap, limit) for overlap, alarms in curves])


def region_weights(masks: Tensor) -> Tensor:
    """One over the number of pixels of the 8-connected region that each pixel of masks (N, H, W) is in; 0 outside.

    Weights of the pixels that pass a threshold then add up to the sum over regions of the share that does.
    """
    from scipy import ndimage

    weights = np.zeros(masks.shape)
    for mask, weight in zip(masks.cpu().numpy(), weights, strict=True):
        regions, _ = ndimage.label(mask, structure=np.ones((3, 3)))
        sizes = np.bincount(regions.ravel())
        weight[mask] = 1 / sizes[regions[mask]]
    return torch.from_numpy(weights).to(masks.device)
