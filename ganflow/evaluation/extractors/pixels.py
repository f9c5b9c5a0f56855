"""The extractor of toys: the pixels themselves. Of points of a known mixture it knows the modes too."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.data.prepared.dataset import Dataset, Mixture
from ganflow.errors import GanflowError
from ganflow.evaluation.extractors.base import Extractor, Splits
from ganflow.evaluation.metrics.features import Features
from ganflow.terminal.progress import Advanced, unheard

CHUNK = 100_000  # points at once


@component("extractor", "pixels")
class PixelsChoice:
    """Nothing has to be learned. Distances between images are those of their pixels, which mean little to an eye."""

    signals: ClassVar[tuple[str, ...]] = ("image", "points")

    def build(
        self, splits: Splits, cache: Path, device: torch.device, listener: Callable[[Advanced], None] = unheard
    ) -> Extractor:
        """:class:`PixelExtractor` for images, whose values are bounded; else :class:`NearestMode`."""
        return PixelExtractor() if splits.train.facts.signal.bounded else nearest_mode(splits.train)


@dataclass(frozen=True)
class PixelExtractor:
    """The features of an image are its pixels, 0 to 1."""

    name: str = "pixels"
    accuracy: None = None

    def __call__(self, images: Tensor) -> Features:
        """Features (N, C·H·W) of images (N, C, H, W)."""
        flat = images.flatten(1).float() / 255
        return Features(flat, flat[:, :0])


@dataclass(frozen=True)
class NearestMode:
    """The features of a point are the point itself, its logits the log-likelihood of every mode, ``−‖x − c‖²/2σ²``."""

    mixture: Mixture
    accuracy: float
    name: str = "nearest-mode"

    def __call__(self, images: Tensor) -> Features:
        """Features of points (N, 2, 1, 1)."""
        points = images.flatten(1).double()
        centres = torch.tensor(self.mixture.centres, dtype=torch.float64, device=points.device)
        distances = torch.cdist(points, centres, compute_mode="donot_use_mm_for_euclid_dist") / self.mixture.sigma
        return Features(points, -0.5 * distances.square(), distances.amin(1))


def nearest_mode(data: Dataset) -> NearestMode:
    """The extractor of a data set of points.

    Raises:
        GanflowError: it does not say which Gaussians they were drawn from.
    """
    mixture = data.facts.mixture
    if mixture is None:
        raise GanflowError(f"{data.root} holds points of no known mixture, so nothing can be measured on them")
    rows = np.arange(min(CHUNK, len(data)))
    modes = NearestMode(mixture, 0.0)(torch.from_numpy(data.images(rows))).recognised
    return NearestMode(mixture, float((modes.numpy() == data.labels[rows]).mean()))
