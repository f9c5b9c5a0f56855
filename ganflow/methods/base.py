"""What a method is to the trainer: players, and the turns in which each learns.

A method knows nothing of gradients' averaging, precision, Ray or logging: the sum of a turn's terms is what is
optimised, and the same terms are what is logged.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ganflow.distributed.rng import Draw

Network = Callable[..., Any]
Terms = dict[str, Tensor]


@dataclass(frozen=True)
class Batch:
    """Rows of one turn: this rank's, or the part of them that it plays at a time.

    Shapes: real (N, C, H, W) in [-1, 1]; z (N, latent_dim); labels (N,), None when unconditional.
    ``size`` counts the rows of the whole turn, ``turn`` this player's turns and ``nimg`` the real images before this
    one; ``place`` is where in the turn the first row stands.
    """

    real: Tensor
    labels: Tensor | None
    z: Tensor
    z_labels: Tensor | None
    size: int
    turn: int
    nimg: int
    draw: Draw

    @property
    def place(self) -> int:
        return self.draw.first - self.nimg


def precise(output: Tensor) -> Tensor:
    """bf16 as float32, the rest as it is: eight bits are too few for means and differences."""
    return output.float() if output.dtype is torch.bfloat16 else output


def _leave(parameters: Sequence[nn.Parameter]) -> None:
    pass


def _do_nothing() -> None:
    pass


@dataclass(frozen=True)
class Turn:
    """One player's move: it alone learns, by one joint backward of its terms."""

    player: str
    terms: Callable[[Batch], Terms]
    fresh: bool = True  # on new real images, which count, else on those of the turn before
    own: bool = False  # if not fresh: on real images of this player's own, which do not count
    finish: Callable[[], None] = _do_nothing  # once when all terms are made
    adjust_gradients: Callable[[Sequence[nn.Parameter]], None] = _leave  # before the step
    constrain: Callable[[Sequence[nn.Parameter]], None] = _leave  # after it


class Method(Protocol):
    """The turns of one step in their order, and modules whose buffers are state beside the players' networks."""

    @property
    def turns(self) -> Sequence[Turn]: ...

    @property
    def modules(self) -> nn.ModuleDict: ...

    @property
    def steered(self) -> Mapping[str, object]:
        """What keeps options that may change between steps, by its key in ``params.yaml``, under the options' names."""
        ...

    def figures(self) -> Terms:
        """Scalars of the last turns, for the report. All ranks call it together; what differs is averaged."""
        ...
