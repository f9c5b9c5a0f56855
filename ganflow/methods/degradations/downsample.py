"""Fewer pixels: the field's test of super-resolution (Timofte et al., 2017, NTIRE; bicubic)."""

import torch.nn.functional as F
from torch import Tensor

from ganflow.config.components import component
from ganflow.distributed.rng import RandomStream
from ganflow.errors import require
from ganflow.methods.degradations.base import Degradation
from ganflow.methods.degradations.levels import to_images, to_levels, whole
from ganflow.signals.base import Shape

MODES = {"bicubic": "bicubic", "bilinear": "bilinear", "box": "area"}  # filter → torch's name


@component("degradation", "downsample")
class Downsample(Degradation):
    """Sides divided by ``factor``, by one of Pillow's filters and in whole levels, as a file holds them."""

    def __init__(self, factor: int = 2, filter: str = "bicubic") -> None:
        require(factor >= 2, "factor", factor, "must be at least 2")
        require(filter in MODES, "filter", filter, f"one of {', '.join(MODES)}")
        self.factor, self.filter = factor, filter

    def shape(self, shape: Shape) -> Shape:
        channels, height, width = shape
        divides = height % self.factor == 0 and width % self.factor == 0
        require(divides, "factor", self.factor, f"must divide both sides of the images, which are {width}x{height}")
        return channels, height // self.factor, width // self.factor

    def __call__(self, images: Tensor, draw: RandomStream) -> Tensor:
        height, width = images.shape[-2:]
        # Pillow's order: along rows, then along columns, and whole levels after either.
        narrow = whole(self._resized(to_levels(images), height, width // self.factor))
        return to_images(whole(self._resized(narrow, height // self.factor, width // self.factor)))

    def _resized(self, levels: Tensor, height: int, width: int) -> Tensor:
        return F.interpolate(levels, (height, width), mode=MODES[self.filter], antialias=self.filter != "box")

    def simple(self, given: Tensor) -> Tensor:
        """Enlarged by bicubic interpolation (Keys, 1981, a = −½, which torch has under ``antialias`` alone)."""
        height, width = (side * self.factor for side in given.shape[-2:])
        return F.interpolate(given, (height, width), mode="bicubic", antialias=True).clamp(-1, 1)
