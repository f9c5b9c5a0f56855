"""The non-saturating game (Goodfellow et al., 2014, section 3, the alternative for G)."""

from torch import Tensor
from torch.nn.functional import softplus

from ganflow.component import component
from ganflow.losses.cross_entropy import check_smoothing, discriminator_loss


@component("loss", "non_saturating")
class NonSaturating:
    """D minimises cross-entropy; G minimises ``−E[log D(G(z))]``."""

    def __init__(self, smoothing: float = 0.0) -> None:
        check_smoothing(smoothing)
        self.smoothing = smoothing

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return discriminator_loss(real, fake, self.smoothing)

    def generator(self, fake: Tensor) -> Tensor:
        return softplus(-fake).mean()
