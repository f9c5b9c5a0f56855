"""Hinge GAN (Lim & Ye, 2017; Miyato et al., 2018)."""

from torch import Tensor
from torch.nn.functional import relu

from ganflow.config.components import component
from ganflow.methods.losses.base import AdversarialLoss


@component("loss", "hinge")
class Hinge(AdversarialLoss):
    """Miyato et al., eq. 16 and 17: D stops at a margin of 1 on either side, G never does.

    D: ``E[max(0, 1 − D(x))] + E[max(0, 1 + D(G(z)))]``, G: ``−E[D(G(z))]``.
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return relu(1 - real).mean() + relu(1 + fake).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -fake.mean()
