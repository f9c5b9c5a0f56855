"""The samples that are measured: images by index, drawn from a generator or given."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ganflow.data.prepared.dataset import Dataset, Labels
from ganflow.evaluation.metrics.detection.scored import Detection
from ganflow.evaluation.metrics.restoration.pairs import Pairs
from ganflow.methods.generator import Generator

SEED = 0  # of the samples: every model is measured on the same latents


class Samples(Protocol):
    """Images 0 … n − 1 as they are stored; every rank may ask for any of them."""

    @property
    def labels(self) -> Tensor | None:
        """int64 (n,): the class that each was asked to be; None where no class was asked for."""

    @property
    def model(self) -> Generator | None:
        """The model that makes them; None where that is not known."""

    @property
    def generator(self) -> Generator | None:
        """The same, where it makes them of noise alone."""

    @property
    def pairs(self) -> Pairs | None:
        """Restored images beside the true ones, as many as there are samples; None of other samples."""

    @property
    def detection(self) -> Detection | None:
        """Anomaly scores beside the truth, as many as there are samples; None of other samples."""

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
    pairs = None
    detection = None

    @property
    def model(self) -> Generator:
        """The generator."""
        return self.generator

    def __len__(self) -> int:
        return self.count

    def images(self, first: int, count: int) -> Tensor:
        """GeneratorSamples anew at every call; the same index is the same image."""
        chosen = None if self.labels is None else self.labels[first : first + count]
        return self.generator.images(self.seed, first, count, chosen)


class ImageSamples:
    """Images from any other generator."""

    model = generator = pairs = detection = None

    def __init__(self, data: Dataset, labels: Labels | None) -> None:
        self._data, self.labels = data, None if labels is None else torch.from_numpy(labels)

    def __len__(self) -> int:
        return len(self._data)

    def images(self, first: int, count: int) -> Tensor:
        """As they are."""
        return torch.from_numpy(self._data.images(np.arange(first, first + count)))
