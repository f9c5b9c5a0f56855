"""The discriminator's side of Goodfellow et al. (2014), which two losses share."""

from torch import Tensor
from torch.nn.functional import softplus

from ganflow.errors import require


def discriminator_loss(real: Tensor, fake: Tensor, smoothing: float) -> Tensor:
    """``−E[t·log D(x) + (1−t)·log(1−D(x))] − E[log(1 − D(G(z)))]`` with D = sigmoid(logits) and t = 1 − smoothing.

    Label smoothing is one-sided (Salimans et al., 2016): fake images keep the target 0.
    """
    target = 1.0 - smoothing
    on_real = target * softplus(-real) + smoothing * softplus(real) if smoothing else softplus(-real)
    return on_real.mean() + softplus(fake).mean()


def check_smoothing(smoothing: float) -> None:
    """Refuse a smoothing that turns the real target below one half."""
    require(0 <= smoothing < 0.5, "smoothing", smoothing, "0 (none) to less than 0.5; 0.1 makes the real target 0.9")
