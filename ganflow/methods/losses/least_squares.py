"""Least-squares GAN (Mao et al., 2017)."""

from torch import Tensor

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.losses.base import AdversarialLoss


@component("loss", "least_squares")
class LeastSquares(AdversarialLoss):
    """Eq. 2: logits are regressed to ``a`` on samples and ``b`` on data by D, and to ``c`` on samples by G.

    D: ``½·E[(D(x) − b)²] + ½·E[(D(G(z)) − a)²]``, G: ``½·E[(D(G(z)) − c)²]``. The default is the paper's
    0–1 coding (eq. 9); with ``a=-1 b=1 c=0`` (eq. 8) G minimises a Pearson χ² divergence.
    """

    def __init__(self, a: float = 0.0, b: float = 1.0, c: float = 1.0) -> None:
        require(b > a, "b", b, f"must be more than a={a}")
        require(a < c <= b, "c", c, f"must be more than a={a}, at most b={b}")
        self.a, self.b, self.c = a, b, c

    @property
    def boundary(self) -> float:  # type: ignore[override]  # a and b may move while a run goes on
        return (self.a + self.b) / 2

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * (real - self.b).square().mean() + 0.5 * (fake - self.a).square().mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return 0.5 * (fake - self.c).square().mean()
