"""The gradient penalty of WGAN-GP (Gulrajani et al., 2017, eq. 3)."""

from torch import Tensor

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.regularizers.base import DiscriminatorTurn, Regularizer
from ganflow.methods.regularizers.gradients import norms

SIDES = ("two", "one")


@component("regularizer", "gradient_penalty")
class GradientPenalty(Regularizer):
    """``λ · E(‖∇D(x̂)‖₂ − 1)²`` with ``x̂ = α·x + (1 − α)·G(z)`` and α uniform, one per pair.

    ``sides=one`` is ``max(0, ‖∇D(x̂)‖₂ − 1)²`` (WGAN-LP, Petzka et al., 2018): a gentler slope costs nothing.
    ``centre`` replaces the 1; with 0 it is the zero-centred penalty of Thanh-Tung et al. (2019).
    A conditional D judges x̂ as the class of x. D must not mix images, as batch normalisation does.
    """

    def __init__(self, weight: float = 10.0, sides: str = "two", centre: float = 1.0, interval: int = 1) -> None:
        super().__init__(interval)
        require(weight >= 0, "weight", weight, "must not be negative")
        require(sides in SIDES, "sides", sides, f"one of {', '.join(SIDES)}")
        require(centre >= 0, "centre", centre, "must not be negative")
        self.weight, self.sides, self.centre = weight, sides, centre

    def discriminator_term(self, turn: DiscriminatorTurn) -> Tensor:
        alpha = turn.draw.uniform("gradient-penalty", 1, 1, 1).to(turn.real.dtype)
        off = norms(turn.D, alpha * turn.real + (1 - alpha) * turn.fake, turn.labels) - self.centre
        return self.weight * (off.relu() if self.sides == "one" else off).square().mean()
