"""The base of every content loss: how far G's image is from the one that it should be.

Shapes: real, fake (N, C, H, W) in [-1, 1]; hidden (N, 1, H, W), 1 where a pixel was not given.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from torch import Tensor, nn

from ganflow.errors import require
from ganflow.methods.regularizers.base import GeneratorTurn
from ganflow.signals.base import Shape


class ContentLoss(nn.Module, ABC):
    """A component of the group ``content_loss``: a term that G minimises beside the adversarial one.

    Attributes:
        of_features: whether it compares what D sees in the images, so that there has to be a D.
        of_hidden: whether it looks at hidden pixels alone, so that some have to be hidden.
    """

    of_features: ClassVar[bool] = False
    of_hidden: ClassVar[bool] = False

    def __init__(self, weight: float) -> None:
        super().__init__()
        require(weight > 0, "weight", weight, "must be more than 0")
        self.weight = weight

    def check(self, shape: Shape) -> None:
        """Refuse images of a shape (C, H, W) that it cannot compare, and files that are not to be had, before any work.

        Raises:
            ConfigError: with the option.
        """

    def prepare(self, cache: Path) -> None:
        """Read the files that it needs; downloads are kept under ``cache``. All ranks call it together.

        Raises:
            ConfigError: a file that is not what it should be, with the option.
        """

    @abstractmethod
    def forward(self, turn: GeneratorTurn) -> Tensor:
        """The loss, a mean over the rows: a scalar, not weighted yet."""
