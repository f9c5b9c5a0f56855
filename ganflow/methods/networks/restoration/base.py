"""The bases of generators that make an image of what they are given.

Shapes: given (N, C', H', W'), its last channel the mask where pixels are hidden; images (N, C, f·H', f·W').
"""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from ganflow.errors import require
from ganflow.methods.networks.restoration.enlargement import enlarged, factor_between, image_channels
from ganflow.signals.base import Shape


class RestorationGenerator(nn.Module):
    """A component of the group ``generator`` that is called with (z, labels, given).

    Attributes:
        any_size: whether it takes sizes other than the one that it was built for.
        multiple: a number that divides both sides of what it takes.
        factor: the sides of its images over those of what it is given.
    """

    any_size: ClassVar[bool] = True
    multiple: int = 1
    factor: int = 1


def checked_given(name: str, given: Shape | None) -> Shape:
    """The shape of what a network is given.

    Raises:
        ConfigError: nothing is given.
    """
    nothing = "makes images of what it is given, and nothing is given; set given=[noise] or another"
    require(given is not None, "name", name, nothing)
    assert given is not None
    return given


class EnlargingGenerator(RestorationGenerator, ABC):
    """The simple enlargement of the image that it is given, and a learned residual; linear, at 1 to 8 times the size.

    It takes no noise. It does not look at classes, which D alone may know of.

    Args:
        name: of the component, for errors.
        latent_dim: of z.
        shape: of an image.
        given: the shape of what it is made of.

    Raises:
        ConfigError: nothing is given, a z, or what does not become such images.
    """

    def __init__(self, name: str, latent_dim: int, shape: Shape, given: Shape | None) -> None:
        super().__init__()
        given = checked_given(name, given)
        require(latent_dim == 0, "name", name, "takes no noise; set gan.latent_dim=0")
        self.factor = factor_between(name, given, shape)
        self.simple, self.channels = image_channels(name, given, shape), shape[0]

    def forward(self, z: Tensor, labels: Tensor | None, given: Tensor) -> Tensor:
        simple = enlarged(given[:, : self.simple], self.factor).expand(-1, self.channels, -1, -1)
        return simple + self.residual(given)

    @abstractmethod
    def residual(self, given: Tensor) -> Tensor:
        """The part that is learned, of what is given with its mask as one more channel: (N, C, f·H', f·W')."""
