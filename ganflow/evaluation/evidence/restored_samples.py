"""Restored images of a split as samples, with those that they should be."""

import numpy as np
import torch
from torch import Tensor

from ganflow.data.prepared.dataset import Dataset
from ganflow.distributed import collectives
from ganflow.evaluation.metrics.restoration.pairs import Pairs
from ganflow.generation import restoration
from ganflow.methods.generator import Generator


class RestoredSamples:
    """Images 0 … n − 1 of a split, restored at once: each rank does its share, so all make it together.

    Attributes:
        model: what restores them.
        data: the split.
        pairs: the images beside what they should be.
    """

    generator = None
    detection = None

    def __init__(self, model: Generator, data: Dataset, count: int) -> None:
        self.model, self.data = model, data
        self.labels: Tensor | None = None
        if data.facts.num_classes:
            self.labels = torch.from_numpy(data.labels[np.arange(count)])
        self.pairs = self._restored(count)

    def __len__(self) -> int:
        return len(self.pairs)

    def images(self, first: int, count: int) -> Tensor:
        """The restored ones."""
        return self.pairs.restored[first : first + count]

    def _restored(self, count: int) -> Pairs:
        part = collectives.share(count)
        parts = [
            restoration.restore(self.model, self.data, first, min(self.model.batch, part.stop - first))
            for first in range(part.start, max(part.stop, part.start + 1), self.model.batch)
        ]
        images = (torch.cat([getattr(some, name) for some in parts]) for name in ("restored", "target", "simple"))
        restored, target, simple = map(collectives.gather_rows, images)
        hidden = [some.hidden for some in parts if some.hidden is not None]
        return Pairs(restored, target, simple, collectives.gather_rows(torch.cat(hidden)) if hidden else None)
