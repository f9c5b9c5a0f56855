"""Colours taken away: the field's test of colourisation (Zhang et al., 2016)."""

import functools

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.distributed.rng import RandomStream
from ganflow.errors import require
from ganflow.methods.degradations.base import Degradation
from ganflow.methods.degradations.matrix_along import along
from ganflow.signals.base import Shape

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in grey: ITU-R BT.601


@component("degradation", "grey")
class Grey(Degradation):
    """RGB → its luma, one channel; not rounded."""

    def shape(self, shape: Shape) -> Shape:
        require(shape[0] == 3, "name", "grey", f"takes images in RGB, and these have {shape[0]} channel(s)")
        return 1, *shape[1:]

    def __call__(self, images: Tensor, draw: RandomStream) -> Tensor:
        return along(1, _luma(images.device), images)

    def simple(self, given: Tensor) -> Tensor:
        return given.repeat(1, 3, 1, 1)


@functools.cache
def _luma(device: torch.device) -> Tensor:
    return torch.tensor([LUMA], device=device)
