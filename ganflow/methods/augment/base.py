"""The base of every augmentation."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from ganflow.distributed.rng import RandomStream

A = TypeVar("A", bound="Augmentation")


class Augmentation(nn.Module, ABC):
    """Images → images of the same shape. Buffers are its state: they resume and agree over the ranks."""

    follows_logits = False  # it adapts to what ``observe`` is shown

    @abstractmethod
    def forward(self, images: Tensor, draw: RandomStream) -> Tensor:
        """Augment images (N, C, H, W) in [-1, 1], differentiably, by a draw of one row per image."""

    def observe(self, real_logits: Tensor, batch: int, turn: int) -> None:
        """Called in each of D's turns with its logits (N,) of this rank's real images, positive where D takes them for
        real; ``batch`` counts all ranks'. Not called under a loss of differences, whose logits have no such zero.
        A rank that plays several parts of the batch calls it for each.
        """

    def finish_turn(self) -> None:
        """Called once after each of D's turns: what it observed is whole now, and ranks may put it together."""

    def figures(self) -> dict[str, Tensor]:
        """Scalars to report, the same on every rank."""
        return {}


def in_float32(forward: Callable[[A, Tensor, RandomStream], Tensor]) -> Callable[[A, Tensor, RandomStream], Tensor]:
    """Compute a ``forward`` in at least float32 under any autocast, and hand it back in the images' own dtype.

    Eight bits would place a pixel of a larger image wrongly.
    """

    @functools.wraps(forward)
    def exact(self: A, images: Tensor, draw: RandomStream) -> Tensor:
        with torch.autocast(images.device.type, enabled=False):
            wide = images.float() if images.dtype.itemsize < 4 else images
            return forward(self, wide, draw).to(images.dtype)

    return exact
