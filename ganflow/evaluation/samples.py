"""The samples that are measured: images by index, drawn from a generator or given."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ganflow.data.prepared.dataset import Dataset, Labels
from ganflow.methods.generator import Generator


class Samples(Protocol):
    """Images 0 … n − 1 as they are stored; every rank may ask for any of them."""

    @property
    def labels(self) -> Tensor | None:
        """int64 (n,): the class that each was asked to be; None where no class was asked for."""

    @property
    def generator(self) -> Generator | None:
        """The generator that they are drawn from; None where that is not known."""

    def __len__(self) -> int: ...

    def images(self, first: int, count: int) -> Tensor:
        """Images ``first … first + count − 1``: (count, C, R, R)."""


@dataclass(frozen=True)
class GeneratorSamples:
    """Samples of a generator."""

    generator: Generator
    seed: int
    count: int
    labels: Tensor | None

    def __len__(self) -> int:
        return self.count

    def images(self, first: int, count: int) -> Tensor:
        """GeneratorSamples anew at every call; the same index is the same image."""
        chosen = None if self.labels is None else self.labels[first : first + count]
        return self.generator.images(self.seed, first, count, chosen)


class ImageSamples:
    """Images from any other generator."""

    generator = None

    def __init__(self, data: Dataset, labels: Labels | None) -> None:
        self._data, self.labels = data, None if labels is None else torch.from_numpy(labels)

    def __len__(self) -> int:
        return len(self._data)

    def images(self, first: int, count: int) -> Tensor:
        """As they are."""
        return torch.from_numpy(self._data.images(np.arange(first, first + count)))
