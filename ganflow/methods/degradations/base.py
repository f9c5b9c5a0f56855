"""The base of every degradation, a step from an image to what a model is given of it.

Shapes: images (N, C, H, W), -1 black to 1 white; given (N, C', H', W').
"""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from ganflow.distributed.rng import RandomStream
from ganflow.signals.base import Shape


class Degradation(ABC):
    """A component of the group ``degradation``.

    Attributes:
        masks: whether it hides pixels: then its last channel is 1 where they are hidden and 0 elsewhere.
    """

    masks: ClassVar[bool] = False

    def shape(self, shape: Shape) -> Shape:
        """The shape of what images of this shape become.

        Raises:
            ConfigError: images of this shape cannot be degraded so.
        """
        return shape

    @abstractmethod
    def __call__(self, images: Tensor, draw: RandomStream) -> Tensor:
        """The images, degraded. All chance is the draw's, one row per image."""

    @abstractmethod
    def simple(self, given: Tensor) -> Tensor:
        """The images again by the simplest method that people use: what a model has to beat."""
