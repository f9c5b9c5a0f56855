"""Reconstructions of a test split as samples, with how anomalous each image is and was known to be."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganflow.data.prepared.dataset import Dataset
from ganflow.distributed import collectives
from ganflow.evaluation.extractors.base import Splits
from ganflow.evaluation.metrics.detection.scored import Detection
from ganflow.generation import detection
from ganflow.methods.generator import Generator


class DetectedSamples:
    """Images of the test split, evenly over it, scored at once: each rank does its share, so all make it together.

    Attributes:
        model: what tells anomalies.
        rows: of the test split, in its order.
        detection: scores beside the truth.
    """

    generator = None
    labels = None
    pairs = None

    def __init__(self, model: Generator, splits: Splits, count: int) -> None:
        assert splits.test is not None
        self.model, test = model, splits.test
        self.rows = np.unique(np.linspace(0, len(test) - 1, min(count, len(test))).round().astype(np.int64))
        scores, maps, self._again = _scored(model, test, self.rows)
        held_out = splits.held_out
        normal = torch.zeros(0, dtype=torch.float64)
        if held_out is not None:
            normal = _scored(model, held_out, np.arange(len(held_out)))[0]
        self.detection = Detection(
            scores=scores,
            maps=maps,
            anomalous=~torch.isin(torch.from_numpy(test.labels[self.rows]), torch.tensor(test.facts.normal)),
            masks=torch.from_numpy(test.masks(self.rows)[:, 0] > 0) if test.facts.masked else None,
            images=_pixels(model, test, self.rows),
            normal=_pixels(model, splits.train, np.arange(len(splits.train))),
            held_out=normal,
            rescore=self._rescored,
        )

    def _rescored(self, images: Tensor, again: Tensor) -> Tensor:
        """The scores of images and reconstructions (N, F)."""
        shape = self.model.spec.shape
        return detection.compared(images.unflatten(1, shape), again.unflatten(1, shape), self.model.spec.detection)[1]

    def __len__(self) -> int:
        return len(self.rows)

    def images(self, first: int, count: int) -> Tensor:
        """The reconstructions."""
        return self._again[first : first + count]


def _scored(model: Generator, data: Dataset, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
    """Scores, maps and reconstructions of these rows, on every rank."""
    mine = detection.score_split(model, data, rows[collectives.share(len(rows))])
    scores, maps, again = (collectives.gather_rows(part.to(model.device)).cpu() for part in mine)
    return scores, maps, again


def _pixels(model: Generator, data: Dataset, rows: NDArray[np.int64]) -> Tensor:
    """The images themselves, flat: float32 (N, F)."""
    return model.spec.signal.ready(torch.from_numpy(data.images(rows))).flatten(1)
