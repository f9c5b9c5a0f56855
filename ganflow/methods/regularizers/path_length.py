"""Path length regularisation (Karras et al., 2020, StyleGAN2, section 3.2)."""

from math import sqrt

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.distributed import collectives
from ganflow.distributed.rng import RandomStream
from ganflow.errors import require
from ganflow.methods.regularizers.base import GeneratorTurn, Regularizer


@component("regularizer", "path_length")
class PathLength(Regularizer):
    """``λ · E(‖J_wᵀ·y‖₂ − a)²`` (eq. 4): a step in w moves the image by a fixed length, whatever w and direction.

    ``J_wᵀ·y = ∇_w (G(w)·y)`` with normal pixels y of variance 1/(H·W). Where each layer has a w of its own, a length is
    the root mean square over the layers. a is the moving average of the lengths, over all ranks, from 0. As in the
    authors' code the term is of every ``shrink``-th image, made anew, and with ``current`` its a holds this turn's
    lengths already, with their gradient: those of the part of the batch that is played at a time, as theirs are of each
    GPU. Without ``current`` a is that of the turns before, and several ranks have the term of one.
    """

    differentiates = frozenset({"w"})
    average: Tensor  # a; in float64, because a rank's rounding must not show

    def __init__(
        self, weight: float = 2.0, decay: float = 0.01, interval: int = 4, shrink: int = 2, current: bool = True
    ) -> None:
        super().__init__(interval)
        require(weight >= 0, "weight", weight, "must not be negative")
        require(0 < decay <= 1, "decay", decay, "more than 0, at most 1")
        require(shrink > 0, "shrink", shrink, "must be at least 1: every so many images")
        self.weight, self.decay, self.shrink, self.current = weight, decay, shrink, current
        self.register_buffer("average", torch.zeros((), dtype=torch.float64))
        self._seen: list[Tensor] = []  # mean lengths of this turn's parts

    def generator_term(self, turn: GeneratorTurn) -> Tensor:
        rows = slice(None, None, self.shrink)
        fake, w = turn.G(turn.z[rows], None if turn.labels is None else turn.labels[rows], True)
        lengths = _lengths(fake, w, turn.draw, rows)
        self._seen.append(lengths.detach().mean().double())
        a = self.average.clone()  # the end of the turn changes the average
        if self.current:
            a = a.lerp(lengths.mean().double(), self.decay)
        return self.weight * (lengths - a).square().mean()

    def finish_turn(self) -> None:
        if self._seen:
            now = torch.stack(self._seen).mean()
            self._seen = []
            collectives.mean_([now])
            self.average.lerp_(now, self.decay)


def _lengths(fake: Tensor, w: Tensor, draw: RandomStream, rows: slice) -> Tensor:
    """``‖J_wᵀ·y‖₂`` of each of these rows of the turn (N,), from w (N, w_dim) or (N, num_ws, w_dim)."""
    y = draw.normal("path-length", *fake.shape[1:])[rows].to(fake.dtype) / sqrt(fake.shape[2] * fake.shape[3])
    (slope,) = torch.autograd.grad((fake * y).sum(), w, create_graph=True)
    lengths: Tensor = torch.linalg.vector_norm(slope.flatten(1), dim=1)
    return lengths / sqrt(slope[0, ..., 0].numel())
