"""The interface between a training method (GAN, VAE) and the trainer: players, and the turns in which each learns.

A method knows nothing of gradients' averaging, precision, Ray or logging: the sum of a turn's terms is what is
optimised, and the same terms are what is logged.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from ganflow.config.schema import Config
from ganflow.data.prepared.dataset import Facts
from ganflow.distributed.rng import RandomStream
from ganflow.methods.players.player import Player
from ganflow.signals.base import Shape

Network = Callable[..., Any]
Terms = dict[str, Tensor]


@dataclass(frozen=True)
class Batch:
    """Rows of one turn: this rank's, or the part of them that it plays at a time.

    Shapes: real (N, C, H, W) in [-1, 1]; z (N, latent_dim); labels (N,), None when unconditional; given
    (N, C', H', W'), None where G makes its images of noise alone; hidden (N, 1, H, W), 1 where a pixel is not given,
    None where all are.
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
    draw: RandomStream
    given: Tensor | None = None
    hidden: Tensor | None = None

    @property
    def place(self) -> int:
        return self.draw.first - self.nimg


def to_float32(output: Tensor) -> Tensor:
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
    def schedulable(self) -> Mapping[str, object]:
        """Objects whose options may change between steps, by their keys in ``params.yaml``.

        An object keeps each option as an attribute or a buffer of the option's name.
        """
        ...

    def figures(self) -> Terms:
        """Scalars of the last turns, for the report. All ranks call it together; what differs is averaged."""
        ...


@dataclass(frozen=True)
class BuiltMethod:
    """A method with its players, at image 0."""

    method: Method
    players: Mapping[str, Player]  # by the names that its turns have
    optimizers: Mapping[str, str]  # player → the key of its optimizer in params.yaml
    generator: nn.Module  # the network that makes samples, whose weights the average follows
    generator_player: str  # the player that trains it


@dataclass(frozen=True)
class Kept:
    """The network that leaves training, without its weights."""

    network: Mapping[str, Any]  # the choice as in params.yaml: name and options
    latent_dim: int
    given_shape: Shape | None  # of what it makes an image from; None: of noise alone


class MethodBuilder(ABC):
    """The base of what ``method`` may be: from a configuration and the data's facts to a :class:`BuiltMethod`."""

    sections: ClassVar[tuple[str, ...]]  # of params.yaml that hold its options
    schedulable: ClassVar[tuple[str, ...]]  # those that may change during a run, or keys above them
    optimizers: ClassVar[Mapping[str, str]]  # player → the key of its optimizer

    @abstractmethod
    def build(self, config: Config, facts: Facts, device: torch.device) -> BuiltMethod:
        """The method on the device, with fresh weights from torch's generator.

        Raises:
            ConfigError: options that a part refuses, or data of which it cannot make samples, with the key.
        """

    @abstractmethod
    def kept(self, config: Config, facts: Facts) -> Kept:
        """The network that :attr:`BuiltMethod.generator` is."""

    @abstractmethod
    def check(self, config: Config, facts: Facts) -> None:
        """Build every part without memory for weights, so that a misfit shows at once.

        Raises:
            ConfigError: as :meth:`build`.
        """
