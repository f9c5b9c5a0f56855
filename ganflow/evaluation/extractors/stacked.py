"""The extractor of stacked images: one classifier of single channels, applied to each (PacGAN's protocol)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ganflow.data.prepared.dataset import Dataset, Facts, Images, Labels
from ganflow.evaluation.extractors.base import Extractor
from ganflow.evaluation.metrics.features import Features


class Channels:
    """A stacked data set seen as C times as many grey images: image ``C·i + c`` is channel c of image i."""

    def __init__(self, stacked: Dataset) -> None:
        facts = stacked.facts
        each = round(facts.num_classes ** (1 / facts.channels))
        places = each ** np.arange(facts.channels - 1, -1, -1)
        self.stacked = stacked
        self.digest = f"channels of {stacked.digest}"
        self.facts = Facts((1, *facts.shape[1:]), each)
        self.labels: Labels = (np.asarray(stacked.labels)[:, None] // places % each).ravel()

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: NDArray[np.int64]) -> Images:
        """Images (B, 1, H, W) in the order asked for."""
        images, channels = np.divmod(indices, self.stacked.facts.channels)
        return self.stacked.images(images)[np.arange(len(indices)), channels][:, None]


@dataclass(frozen=True)
class PerChannel:
    """Applies an extractor of grey images to every channel."""

    single: Extractor

    @property
    def name(self) -> str:
        """The single extractor's name."""
        return f"{self.single.name} per channel"

    @property
    def accuracy(self) -> float | None:
        """Of single channels."""
        return self.single.accuracy

    def __call__(self, images: Tensor) -> Features:
        """Features (N, C·F) and logits (N, C, K) of stacked images (N, C, H, W)."""
        n, channels = images.shape[:2]
        each = self.single(images.flatten(0, 1).unsqueeze(1))
        return Features(each.embeddings.reshape(n, -1), each.logits.reshape(n, channels, -1))
