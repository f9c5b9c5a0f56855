"""No augmentation."""

from torch import Tensor

from ganflow.config.components import component
from ganflow.distributed.rng import RandomStream
from ganflow.methods.augment.base import Augmentation


@component("augmentation", "none")
class NoAugmentation(Augmentation):
    """D sees the images as they are."""

    def forward(self, images: Tensor, draw: RandomStream) -> Tensor:
        return images
