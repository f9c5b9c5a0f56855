"""Made-up defects: what a model learns to take away that has seen no real one (after Li et al., 2021, CutPaste)."""

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.distributed.rng import RandomStream
from ganflow.errors import require
from ganflow.methods.degradations.base import Degradation

SPOT, SCRATCH, PATCH = range(3)
LEAST = 0.4  # of the strength


@component("degradation", "defects")
class Defects(Degradation):
    """A spot, a scratch or a patch in each image, darker or lighter than what is there by up to ``strength``.

    Sizes are shares of the shorter side: a spot's radius 2 to 6 %, a scratch 10 to 35 % long and 1 to 2 % to either
    side, a patch 5 to 17 % to either side. ``share`` of the images have one.
    """

    def __init__(self, strength: float = 0.65, share: float = 0.9) -> None:
        require(0 < strength <= 2, "strength", strength, "more than 0, at most 2 (black to white)")
        require(0 < share <= 1, "share", share, "more than 0, at most 1")
        self.strength, self.share = strength, share

    def __call__(self, images: Tensor, draw: RandomStream) -> Tensor:
        u = draw.uniform("defect", 8)
        height, width = images.shape[-2:]
        inside = _inside(u[:, :6], height, width)
        sign = torch.where(u[:, 6] < 0.5, -1.0, 1.0)
        depth = self.strength * (LEAST + (1 - LEAST) * ((2 * u[:, 6]) % 1))
        flawed = u[:, 7] < self.share
        change = (sign * depth * flawed)[:, None, None] * inside
        return (images + change[:, None]).clamp(-1, 1)

    def simple(self, given: Tensor) -> Tensor:
        return given


def _inside(u: Tensor, height: int, width: int) -> Tensor:
    """1 where the defect is, by draws (N, 6) of kind, row, column, angle, length and breadth: (N, H, W)."""
    kind, row, column, angle, length, breadth = (part[:, None, None] for part in u.unbind(1))
    side = min(height, width)
    y = torch.arange(height, device=u.device)[:, None] - row * height
    x = torch.arange(width, device=u.device) - column * width
    turn = angle * torch.pi
    along, across = y * turn.sin() + x * turn.cos(), x * turn.sin() - y * turn.cos()
    spot = y.square() + x.square() < ((0.02 + 0.04 * length) * side).square()
    scratch = (along.abs() < (0.05 + 0.125 * length) * side) & (across.abs() < (0.01 + 0.01 * breadth) * side)
    patch = (y.abs() < (0.05 + 0.12 * length) * side) & (x.abs() < (0.05 + 0.12 * breadth) * side)
    which = (kind * 3).floor()
    return torch.where(which == SPOT, spot, torch.where(which == SCRATCH, scratch, patch)).float()
