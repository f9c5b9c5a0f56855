"""Turns by hand: the rows of a batch, and what a regulariser sees of D's turn."""

import torch
from torch import Tensor

from ganflow.distributed import collectives
from ganflow.distributed.rng import RandomStream
from ganflow.methods.base import Batch, Network
from ganflow.methods.regularizers.base import DiscriminatorTurn


def batch(
    real: Tensor,
    labels: Tensor | None,
    z: Tensor,
    z_labels: Tensor | None,
    turn: int = 0,
    nimg: int = 0,
    first: int = 0,
    stream: str = "turn",
) -> Batch:
    """These rows as one rank's part of a turn; ``first`` is the index of its first image."""
    size = len(real) * collectives.world_size()
    draw = RandomStream(0, stream, first, len(real), real.device)
    return Batch(real, labels, z, z_labels, size, turn, nimg, draw)


def discriminator_turn(
    D: Network, real: Tensor, fake: Tensor, labels: Tensor | None = None, fake_labels: Tensor | None = None
) -> DiscriminatorTurn:
    """D's turn on these images, which are leaves that require a gradient, without augmentation."""
    real, fake = (images.detach().clone().requires_grad_() for images in (real, fake))
    draw = RandomStream(0, "turn", 0, len(real), torch.device("cpu"))
    on_real, on_fake = D(real, labels), D(fake, fake_labels)
    return DiscriminatorTurn(D, real, labels, fake, fake_labels, on_real, on_fake, draw)
