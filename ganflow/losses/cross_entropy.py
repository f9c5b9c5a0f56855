"""The discriminator's side of Goodfellow et al. (2014), which two losses share."""

from torch import Tensor
from torch.nn.functional import softplus

from ganflow.errors import require


class CrossEntropy:
    """``−E[t·log D(x) + (1−t)·log(1−D(x))] − E[log(1 − D(G(z)))]`` with D = sigmoid(logits) and t = 1 − smoothing.

    Label smoothing is one-sided (Salimans et al., 2016): fake images keep the target 0.
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        require(
            0 <= smoothing < 0.5, "smoothing", smoothing, "0 (none) to less than 0.5; 0.1 makes the real target 0.9"
        )
        self.smoothing = smoothing

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """What D minimises, from logits (N,) to a scalar."""
        on_real = softplus(-real)
        if self.smoothing:
            on_real = (1.0 - self.smoothing) * on_real + self.smoothing * softplus(real)
        return on_real.mean() + softplus(fake).mean()
