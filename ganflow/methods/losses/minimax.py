"""The minimax game as it is first written down (Goodfellow et al., 2014, eq. 1)."""

from torch import Tensor
from torch.nn.functional import softplus

from ganflow.config.components import component
from ganflow.methods.losses.cross_entropy import CrossEntropy


@component("loss", "minimax")
class Minimax(CrossEntropy):
    """D minimises cross-entropy; G minimises ``E[log(1 − D(G(z)))]``, which saturates while D wins."""

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -softplus(fake).mean()
