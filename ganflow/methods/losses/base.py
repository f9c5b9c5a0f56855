"""The base of every adversarial loss."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor


class AdversarialLoss(ABC):
    """Losses of D and G: logits (N,) to a scalar, a mean over the rows, so that ranks average to the whole."""

    paired: ClassVar[bool] = False  # G's loss compares with the real logits of the same rows
    fresh_reals: bool = False  # if paired: G's turn has real images of its own, else those of D's last turn
    boundary: float | None = 0.0  # the logit at which D cannot tell; None: only differences of logits mean something

    @abstractmethod
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """The term that D minimises."""

    @abstractmethod
    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The term that G minimises; ``real`` is handed in when the loss is ``paired``, and only then."""
