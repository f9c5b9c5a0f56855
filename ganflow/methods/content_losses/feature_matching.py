"""Feature matching: images alike to D (Salimans et al., 2016, section 3.1; Wang et al., 2018, pix2pixHD, eq. 4)."""

import torch
from torch import Tensor
from torch.nn.functional import l1_loss

from ganflow.config.components import component
from ganflow.methods.content_losses.base import ContentLoss
from ganflow.methods.regularizers.base import GeneratorTurn


@component("content_loss", "feature_matching")
class FeatureMatching(ContentLoss):
    """``λ · E|f(x) − f(G)|``, f being what D's last layer is given; of a D with several, the mean over them.

    Pairs are compared, as in pix2pixHD, whose λ is 10; Salimans et al. compare means over a batch.
    """

    of_features = True

    def __init__(self, weight: float = 10.0) -> None:
        super().__init__(weight)

    def forward(self, turn: GeneratorTurn) -> Tensor:
        assert turn.features is not None
        with torch.no_grad():
            real = turn.features(turn.real, turn.labels)
        fake = turn.features(turn.fake, turn.labels)
        return torch.stack([l1_loss(a, b) for a, b in zip(fake, real, strict=True)]).mean()
