"""No augmentation."""

from torch import Tensor

from ganflow.augment.base import Augmentation
from ganflow.component import component
from ganflow.draws import Draw


@component("augmentation", "none")
class NoAugmentation(Augmentation):
    """D sees the images as they are."""

    def forward(self, images: Tensor, draw: Draw) -> Tensor:
        return images
