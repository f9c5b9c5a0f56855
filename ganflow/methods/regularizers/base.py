"""The base of every regulariser: hooks into the turns of D and of G."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from ganflow.distributed.rng import RandomStream
from ganflow.errors import require

Discriminator = Callable[[Tensor, Tensor | None], Tensor]  # images (N, C, H, W), labels (N,) or None → logits
Features = Callable[[Tensor, Tensor | None], list[Tensor]]
Maker = Callable[..., Any]  # z (N, latent_dim), labels (N,) or None → images; with ``True`` after them, (images, w)


@dataclass(frozen=True)
class DiscriminatorTurn:
    """D's turn on this rank's rows. Images (N, C, H, W) in [-1, 1], labels (N,) or None, logits (N,) or (N, K).

    ``real`` and ``fake`` are leaves of the graph; they require a gradient while a regulariser that is due
    differentiates them. ``D`` is what gave the logits, augmentation included; it may be called again. ``step`` counts
    the steps before this one, of both players' turns.
    """

    D: Discriminator
    real: Tensor
    labels: Tensor | None
    fake: Tensor
    fake_labels: Tensor | None
    real_logits: Tensor
    fake_logits: Tensor
    draw: RandomStream
    step: int = 0


@dataclass(frozen=True)
class GeneratorTurn:
    """G's turn on this rank's rows: z (N, latent_dim), labels (N,) or None, and the fakes with their graph.

    ``G`` made the fakes; it may be called again, and one with a mapping network also gives w (N, …), if asked.
    Where G makes an image of what it is given of it, ``real`` (N, C, H, W) is that image, and ``hidden`` (N, 1, H, W)
    is 1 where it was not given. ``features`` of images and labels are what D's last layers are given, a tensor each.
    """

    G: Maker
    z: Tensor
    labels: Tensor | None
    fake: Tensor
    draw: RandomStream
    real: Tensor
    hidden: Tensor | None = None
    features: Features | None = None


class Regularizer(nn.Module):
    """A regulariser overrides the hooks that it needs. Buffers are its state: they resume and agree over the ranks.

    A term is a scalar, a mean over the rows, so that ranks average to the whole batch. It is due every
    ``interval``-th turn of its player and is weighted by ``interval`` then (lazy regularisation, StyleGAN2). It shares
    the step of its turn, so rates and betas stay as they are: StyleGAN2's authors take k + 1 steps in k turns, each
    k/(k + 1) as long, which is the same way in all.
    """

    differentiates: ClassVar[frozenset[str]] = frozenset()  # of "real", "fake" (D's turn) and "w" (of G)

    def __init__(self, interval: int = 1) -> None:
        super().__init__()
        require(interval > 0, "interval", interval, "must be at least 1")
        self.interval = interval

    def discriminator_term(self, turn: DiscriminatorTurn) -> Tensor | None:
        """The term that D minimises besides the loss."""

    def generator_term(self, turn: GeneratorTurn) -> Tensor | None:
        """The term that G minimises besides the loss."""

    def perturb(self, images: Tensor, draw: RandomStream, nimg: int) -> Tensor:
        """The images as D sees them, after ``nimg`` images of the run."""
        return images

    def finish_turn(self) -> None:
        """Called once after the terms of a turn of either player: moving averages move here, over all ranks.

        A rank may have made its terms in several parts, so a moving average in them is that of the turns before.
        """

    def adjust_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Called in either player's turn before its step, with gradients that are averaged over the ranks."""

    def constrain_discriminator(self, parameters: Sequence[nn.Parameter]) -> None:
        """Called after D's step."""

    def overrides(self, hook: str) -> bool:
        """True where this regulariser has a hook of its own."""
        return getattr(type(self), hook) is not getattr(Regularizer, hook)
