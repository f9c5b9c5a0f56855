"""Path length regularisation (Karras et al., 2020, StyleGAN2, section 3.2)."""

from math import sqrt

import torch
from torch import Tensor

from ganflow import distributed
from ganflow.component import component
from ganflow.draws import Draw
from ganflow.errors import require
from ganflow.regularizers.base import GeneratorTurn, Regularizer


@component("regularizer", "path_length")
class PathLength(Regularizer):
    """``λ · E(‖J_wᵀ·y‖₂ − a)²`` (eq. 4): a step in w moves the image by a fixed length, whatever w and direction.

    ``J_wᵀ·y = ∇_w (G(w)·y)`` with normal pixels y of variance 1/(H·W); a is the moving average of the lengths in the
    turns before, over all ranks, from 0. Where each layer has a w of its own, a length is the root mean square
    over the layers.
    """

    differentiates = frozenset({"w"})
    average: Tensor  # a; in float64, for a rank's rounding must not show

    def __init__(self, weight: float = 2.0, decay: float = 0.01, interval: int = 4) -> None:
        super().__init__(interval)
        require(weight >= 0, "weight", weight, "must not be negative")
        require(0 < decay <= 1, "decay", decay, "more than 0, at most 1")
        self.weight, self.decay = weight, decay
        self.register_buffer("average", torch.zeros((), dtype=torch.float64))
        self._seen: list[Tensor] = []  # mean lengths of this turn's parts

    def generator_term(self, turn: GeneratorTurn) -> Tensor:
        assert turn.w is not None
        lengths = _lengths(turn.fake, turn.w, turn.draw)
        self._seen.append(lengths.detach().mean().double())
        return self.weight * (lengths - self.average.clone()).square().mean()  # the end of the turn changes the average

    def finish_turn(self) -> None:
        if self._seen:
            now = torch.stack(self._seen).mean()
            self._seen = []
            distributed.mean_([now])
            self.average.lerp_(now, self.decay)


def _lengths(fake: Tensor, w: Tensor, draw: Draw) -> Tensor:
    """``‖J_wᵀ·y‖₂`` of each row (N,), from w (N, w_dim) or (N, num_ws, w_dim)."""
    y = draw.normal("path-length", *fake.shape[1:]).to(fake.dtype) / sqrt(fake.shape[2] * fake.shape[3])
    (slope,) = torch.autograd.grad((fake * y).sum(), w, create_graph=True)
    lengths: Tensor = torch.linalg.vector_norm(slope.flatten(1), dim=1)
    return lengths / sqrt(slope[0, ..., 0].numel())
