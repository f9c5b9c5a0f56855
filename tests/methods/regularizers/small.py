"""A small smooth D, its logits by finite differences, and turns with it; all in float64."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ganflow.config import components
from ganflow.methods.regularizers.base import DiscriminatorTurn, Regularizer
from tests.support.turns import discriminator_turn


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


class Smooth(nn.Module):
    """D of 2×4×4 images; its logit depends on the label if there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Parameter(normal(32, 6, seed=1) / 3), nn.Parameter(normal(6, seed=2))
        self.of_class = nn.Parameter(normal(4, 6, seed=3))

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        hidden = images.flatten(1) @ self.one
        return torch.tanh(hidden if labels is None else hidden + self.of_class[labels]) @ self.two


def build(name: str, **options: Any) -> Regularizer:
    made = components.build("regularizer", {"name": name, **options}, "r")
    assert isinstance(made, Regularizer)
    return made


def turn(D: nn.Module | None = None, first: int = 0, count: int = 5) -> DiscriminatorTurn:
    """D's turn on rows ``first …`` of fixed images with labels."""
    rows = slice(first, first + count)
    real, fake = normal(8, 2, 4, 4, seed=4)[rows], normal(8, 2, 4, 4, seed=5)[rows]
    y, zy = torch.arange(8)[rows] % 4, torch.arange(8)[rows] * 3 % 4
    made = discriminator_turn(D or Smooth(), real, fake, y, zy)
    return replace(made, draw=replace(made.draw, first=first, count=count), step=1000)  # when everything has begun


def slopes(D: nn.Module, images: Tensor, labels: Tensor | None, step: float = 1e-5) -> Tensor:
    """‖∇D‖₂ at each image (N,), by central differences."""
    squared = torch.zeros(len(images), dtype=torch.float64)
    for pixel in range(images[0].numel()):
        nudge = torch.zeros(images[0].numel(), dtype=torch.float64)
        nudge[pixel] = step
        nudge = nudge.view(images.shape[1:])
        with torch.no_grad():
            squared += ((D(images + nudge, labels) - D(images - nudge, labels)) / (2 * step)) ** 2
    return squared.sqrt()
