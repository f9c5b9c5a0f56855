"""Consistency regularisation: CR (Zhang et al., 2020) and balanced, bCR (Zhao et al., 2020)."""

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.distributed.rng import RandomStream
from ganflow.errors import require
from ganflow.methods.regularizers.base import DiscriminatorTurn, Regularizer


@component("regularizer", "consistency")
class Consistency(Regularizer):
    """``λ_real · E(D(x) − D(T(x)))² + λ_fake · E(D(G(z)) − D(T(G(z))))²``: an image and its twin look alike to D.

    With ``fake=0`` it is CR, with ``fake=10`` bCR. T mirrors half of the images and moves
    all by up to the share ``shift`` of their side (4 pixels of 32).
    """

    def __init__(self, real: float = 10.0, fake: float = 0.0, shift: float = 0.125, interval: int = 1) -> None:
        super().__init__(interval)
        require(real >= 0, "real", real, "must not be negative")
        require(fake >= 0 and real + fake > 0, "fake", fake, f"must not be negative, nor 0 with real={real}")
        require(0 <= shift < 0.5, "shift", shift, "0 to less than 0.5 of the image's side")
        self.real, self.fake, self.shift = real, fake, shift

    def discriminator_term(self, turn: DiscriminatorTurn) -> Tensor:
        sides = {
            "real": (self.real, turn.real, turn.labels, turn.real_logits),
            "fake": (self.fake, turn.fake, turn.fake_labels, turn.fake_logits),
        }
        terms = []
        for name, (weight, images, labels, logits) in sides.items():
            if weight:
                twins = flip_and_shift(images.detach(), turn.draw.substream(f"consistency-{name}"), self.shift)
                terms.append(weight * (logits - turn.D(twins, labels)).square().mean())
        return torch.stack(terms).sum()


def flip_and_shift(images: Tensor, draw: RandomStream, share: float) -> Tensor:
    """Mirror half of the images (N, C, H, W) and move each by whole pixels, at most this share of its side.

    What moves in from outside is the image's own reflection.
    """
    flip, down, right = draw.uniform("flip-shift", 3).unbind(1)
    rows = _moved(images.shape[2], down, share)
    columns = _moved(images.shape[3], right, share)
    columns = torch.where(flip[:, None] < 0.5, images.shape[3] - 1 - columns, columns)
    which = torch.arange(len(images), device=images.device)[:, None, None]
    return images[which, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)  # of (N, H, W, C)


def _moved(side: int, uniform: Tensor, share: float) -> Tensor:
    """The index of the pixel that each pixel shows: (N, side)."""
    most = round(share * side)
    by = (uniform * (2 * most + 1)).floor().long() - most
    index = torch.arange(side, device=uniform.device) - by[:, None]
    return (side - 1) - ((side - 1) - index.abs()).abs()
