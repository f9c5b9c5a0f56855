"""Scores, maps and masks of small images, some of them anomalous."""

from dataclasses import replace

import torch
from torch import Tensor

from ganflow.evaluation.metrics.detection.scored import Detection

SIDE = 12


def detection(n: int = 40, channels: int = 1, ties: bool = True) -> Detection:
    """Images of a few patterns; the anomalous third has bright squares, which scores and maps show in part."""
    random = torch.Generator().manual_seed(n + channels)
    patterns = torch.randn(3, channels * SIDE**2, generator=random)
    images, normal = (
        0.3 * torch.randn(rows, 3, generator=random) @ patterns
        + 0.1 * torch.randn(rows, channels * SIDE**2, generator=random)
        for rows in (n, 90)
    )
    anomalous = torch.arange(n) % 3 == 0
    masks = squares(n, anomalous, random)
    images += 0.4 * masks.repeat(1, channels, 1).flatten(1)
    maps = masks + torch.randn(masks.shape, generator=random)
    scores = anomalous + torch.randn(n, generator=random, dtype=torch.float64)
    if ties:
        maps, scores = (4 * maps).round() / 4, (2 * scores).round() / 2
    held_out = torch.randn(50, generator=random, dtype=torch.float64)
    return Detection(scores, maps, anomalous, masks, images.clamp(-1, 1), normal.clamp(-1, 1), held_out)


def squares(n: int, anomalous: Tensor, random: torch.Generator) -> Tensor:
    """Masks (N, SIDE, SIDE) of two squares each, of which some touch or overlap."""
    masks = torch.zeros(n, SIDE, SIDE, dtype=torch.bool)
    for i in anomalous.nonzero()[:, 0].tolist():
        for size in (1 + i % 3, 4):
            y, x = torch.randint(0, SIDE - size + 1, (2,), generator=random).tolist()
            masks[i, y : y + size, x : x + size] = True
    return masks


def repeated(made: Detection, row: Tensor) -> Detection:
    """Test image i so often as the row says."""
    times = row.long()
    fields = ("scores", "maps", "anomalous", "masks", "images")
    return replace(made, **{name: getattr(made, name).repeat_interleave(times, 0) for name in fields})


def alone(made: Detection, anomalous: bool) -> Detection:
    """The test images of one kind."""
    return repeated(made, made.anomalous == anomalous)
