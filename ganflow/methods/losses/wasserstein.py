"""Wasserstein GAN (Arjovsky et al., 2017)."""

from torch import Tensor

from ganflow.config.components import component
from ganflow.methods.losses.base import AdversarialLoss


@component("loss", "wasserstein")
class Wasserstein(AdversarialLoss):
    """Algorithm 1: D minimises ``E[D(G(z))] − E[D(x)]``, G minimises ``−E[D(G(z))]``.

    D is a critic whose logits have no bound of their own: it must be held Lipschitz, by clipped weights (the paper)
    or by a gradient penalty (Gulrajani et al., 2017).
    """

    boundary = None

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() - real.mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -fake.mean()
