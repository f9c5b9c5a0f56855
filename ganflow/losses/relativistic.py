"""Relativistic pairing GAN (Jolicoeur-Martineau, 2018), the loss of R3GAN (Huang et al., 2024)."""

from torch import Tensor
from torch.nn.functional import softplus

from ganflow.component import component
from ganflow.losses.base import AdversarialLoss


@component("loss", "relativistic")
class Relativistic(AdversarialLoss):
    """Row by row, D tells which of the two is real, and G that it is the other one.

    D: ``−E[log σ(D(x) − D(G(z)))]``, G: ``−E[log σ(D(G(z)) − D(x))]`` with σ = sigmoid.
    """

    paired = True
    boundary = None

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(fake - real).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        assert real is not None
        return softplus(real - fake).mean()
