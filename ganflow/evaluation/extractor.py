"""What turns images into features; which one it is depends on the kind of the data."""

from typing import Protocol

from torch import Tensor

from ganflow.metrics.features import Features


class Extractor(Protocol):
    """Takes images as they are stored, (N, C, R, R)."""

    @property
    def name(self) -> str:
        """What it is; stands beside every figure."""

    @property
    def accuracy(self) -> float:
        """Share of real images whose class it recognises."""

    def __call__(self, images: Tensor) -> Features: ...
