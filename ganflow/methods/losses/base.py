"""What every adversarial loss is."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor


class AdversarialLoss(ABC):
    """What D and G minimise, from logits (N,) to a scalar: a mean over the rows, so that ranks average to the whole."""

    paired: ClassVar[bool] = False  # G's loss compares with the real logits of the same rows
    fresh_reals: bool = False  # if paired: G's turn has real images of its own, else those of D's last turn
    boundary: float | None = 0.0  # the logit at which D cannot tell; None: only differences of logits mean something

    @abstractmethod
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """What D minimises."""

    @abstractmethod
    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """What G minimises; ``real`` is handed in when the loss is ``paired``, and only then."""
