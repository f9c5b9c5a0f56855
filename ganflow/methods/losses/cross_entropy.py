"""The discriminator's side of Goodfellow et al. (2014), which two losses share."""

from torch import Tensor
from torch.nn.functional import softplus

from ganflow.errors import require
from ganflow.methods.losses.base import AdversarialLoss


class CrossEntropy(AdversarialLoss):
    """D classifies with D = sigmoid(logits), towards the target t = 1 − smoothing on data and s on samples.

    ``−E[t·log D(x) + (1−t)·log(1−D(x))] − E[s·log D(G(z)) + (1−s)·log(1−D(G(z)))]``, s = ``smoothing_fake``

    One-sided smoothing (s = 0) is the sound one: the best D is ``(t·p_data + s·p_G) / (p_data + p_G)``, so with s > 0
    it peaks where G has samples and there are no data, and keeps them there (Salimans et al., 2016, section 3.4;
    Goodfellow, 2016, section 4.2).
    """

    def __init__(self, smoothing: float = 0.0, smoothing_fake: float = 0.0) -> None:
        allowed = "0 (none) to less than 0.5; 0.1 makes the {} target {}"
        require(0 <= smoothing < 0.5, "smoothing", smoothing, allowed.format("real", 0.9))
        require(0 <= smoothing_fake < 0.5, "smoothing_fake", smoothing_fake, allowed.format("fake", 0.1))
        self.smoothing, self.smoothing_fake = smoothing, smoothing_fake

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return _towards_one(real, self.smoothing).mean() + _towards_one(-fake, self.smoothing_fake).mean()


def _towards_one(logits: Tensor, smoothing: float) -> Tensor:
    """``−(1−s)·log D − s·log(1−D)``; with ``−logits`` in place of logits D and 1−D change places."""
    if not smoothing:
        return softplus(-logits)
    return (1.0 - smoothing) * softplus(-logits) + smoothing * softplus(logits)
