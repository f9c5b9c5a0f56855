"""A generator that has learned its data by heart."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganflow.data.prepared.dataset import Dataset


@dataclass
class Replay:
    """Sample i is image ``rows[i]``; it was asked to be of that image's class."""

    data: Dataset
    rows: np.ndarray
    labelled: bool = False

    model = generator = None
    pairs = None
    detection = None

    @property
    def labels(self) -> Tensor | None:
        return torch.from_numpy(self.data.labels[self.rows]) if self.labelled else None

    def __len__(self) -> int:
        return len(self.rows)

    def images(self, first: int, count: int) -> Tensor:
        return torch.from_numpy(self.data.images(self.rows[first : first + count]))
