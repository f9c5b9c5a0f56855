"""The interface of an extractor. A new one is one file here and no edit elsewhere.

The choice, a component of the group ``extractor`` with its options, has a ``build`` that makes the extractor ready for
a data set: it may have to be trained on it, or to be read from a file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from ganflow.data.prepared.dataset import Dataset
from ganflow.evaluation.metrics.features import Features
from ganflow.terminal.progress import Advanced, unheard


@dataclass(frozen=True)
class Splits:
    """The data set that generators are measured on."""

    train: Dataset
    test: Dataset | None  # None where the data have none
    held_out: Dataset | None = None  # normal images that neither of the two has, of data for detection


class Extractor(Protocol):
    """Takes images (N, C, R, R) as they are stored, or as floats in the range of what is stored."""

    @property
    def name(self) -> str:
        """Its name, which stands beside every figure; equal names give equal features."""

    @property
    def accuracy(self) -> float | None:
        """Share of held-out images whose class it recognises; None where that says nothing."""

    def __call__(self, images: Tensor) -> Features: ...


class ExtractorChoice(Protocol):
    """A component of the group ``extractor``."""

    signals: ClassVar[tuple[str, ...]]  # the kinds of data that it takes

    def build(
        self, splits: Splits, cache: Path, device: torch.device, listener: Callable[[Advanced], None] = unheard
    ) -> Extractor:
        """The extractor for these data, on the device. What takes time to make is kept under ``cache``.

        ``listener`` hears how far that is.

        All ranks call it together; rank 0 makes what is not in the cache.
        """
