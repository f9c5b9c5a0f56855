"""Pairs of small images that resemble one another."""

import torch
from torch import Tensor

from ganflow.evaluation.metrics.restoration.pairs import Pairs


def pairs(n: int = 7, channels: int = 3, height: int = 24, width: int = 17, hidden: Tensor | None = None) -> Pairs:
    """Random images beside themselves with little noise and with much."""
    random = torch.Generator().manual_seed(n + channels)
    target = torch.randint(0, 256, (n, channels, height, width), generator=random)
    made = [target + (noise * torch.randn(target.shape, generator=random)).round().long() for noise in (9, 40)]
    restored, simple = (images.clamp(0, 255).to(torch.uint8) for images in made)
    return Pairs(restored, target.to(torch.uint8), simple, hidden)


def repeated(images: Pairs, row: Tensor) -> Pairs:
    """Image i so often as the row says."""
    times = row.long()
    hidden = None if images.hidden is None else images.hidden.repeat_interleave(times, 0)
    restored, target, simple = (x.repeat_interleave(times, 0) for x in (images.restored, images.target, images.simple))
    return Pairs(restored, target, simple, hidden)
