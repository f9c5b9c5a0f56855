"""The minimax game as it is first written down (Goodfellow et al., 2014, eq. 1)."""

from torch import Tensor
from torch.nn.functional import softplus

from ganflow.component import component
from ganflow.losses.cross_entropy import check_smoothing, discriminator_loss


@component("loss", "minimax")
class Minimax:
    """D minimises cross-entropy; G minimises ``E[log(1 − D(G(z)))]``, which saturates while D wins."""

    def __init__(self, smoothing: float = 0.0) -> None:
        check_smoothing(smoothing)
        self.smoothing = smoothing

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return discriminator_loss(real, fake, self.smoothing)

    def generator(self, fake: Tensor) -> Tensor:
        return -softplus(fake).mean()
