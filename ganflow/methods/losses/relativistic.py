"""Relativistic pairing GAN (Jolicoeur-Martineau, 2018), the loss of R3GAN (Huang et al., 2024)."""

from torch import Tensor
from torch.nn.functional import softplus

from ganflow.config.components import component
from ganflow.methods.losses.base import AdversarialLoss


@component("loss", "relativistic")
class Relativistic(AdversarialLoss):
    """Row by row, D tells which of the two is real, and G that it is the other one.

    D: ``−E[log σ(D(x) − D(G(z)))]``, G: ``−E[log σ(D(G(z)) − D(x))]`` with σ = sigmoid. The x of G's
    turn are those of D's last turn, or with ``fresh_reals`` real images of its own, as R3GAN's authors have it, which
    kimg do not count.
    """

    paired = True
    boundary = None

    def __init__(self, fresh_reals: bool = False) -> None:
        self.fresh_reals = fresh_reals

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(fake - real).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        assert real is not None
        return softplus(real - fake).mean()
