"""What every augmentation is."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from ganflow.draws import Draw


class Augmentation(nn.Module, ABC):
    """Images → images of the same shape. Buffers are its state: they resume and agree over the ranks."""

    @abstractmethod
    def forward(self, images: Tensor, draw: Draw) -> Tensor:
        """Augment images (N, C, H, W) in [-1, 1], differentiably, by a draw of one row per image."""

    def observe(self, real_logits: Tensor, batch: int) -> None:
        """Called in each of D's turns with its logits (N,) of this rank's real images; ``batch`` counts all ranks'."""
