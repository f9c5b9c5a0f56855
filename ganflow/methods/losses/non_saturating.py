"""The non-saturating game (Goodfellow et al., 2014, section 3, the alternative for G)."""

from torch import Tensor
from torch.nn.functional import softplus

from ganflow.config.components import component
from ganflow.methods.losses.cross_entropy import CrossEntropy


@component("loss", "non_saturating")
class NonSaturating(CrossEntropy):
    """D minimises cross-entropy; G minimises ``−E[log D(G(z))]``."""

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return softplus(-fake).mean()
