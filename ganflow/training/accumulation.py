"""Gradient accumulation: a rank plays a turn on its microbatches one after the other, each as if it were the only one.

The batch is cut into ``state.microbatches`` equal parts. What a part computes does not depend on the number of ranks,
and the memory that a rank needs does not grow when there are fewer. With as many parts as ranks each rank plays one.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ganflow.distributed import collectives, rng
from ganflow.distributed.host_arrays import OneCopy
from ganflow.distributed.rng import RandomStream
from ganflow.methods.base import Batch, Terms, Turn
from ganflow.methods.players.player import Player
from ganflow.training.batches import BatchSource, Reals
from ganflow.training.state import TrainState


@dataclass
class GradientAccumulator:
    """Makes the gradients of turns from ``state.nimg`` images on; ``size`` counts the rows of a batch."""

    state: TrainState
    batch_source: BatchSource
    size: int
    seed: int
    device: torch.device
    bf16: bool
    arrays: OneCopy | None = None  # takes what the host makes of a step to the device
    _real: dict[int, Reals] = field(default_factory=dict)  # of each part's last fresh turn
    _torch: dict[int, Tensor] = field(default_factory=dict)  # the generator's state after each part's last turn

    def begin(self, images: int) -> None:
        """A step begins that takes so many images."""
        if self.arrays is not None:
            self.arrays.begin(self.state.nimg, images)

    def play(self, turn: Turn) -> Terms:
        """The gradients of this rank's parts, averaged over all ranks; the mean of its parts' terms."""
        player = self.state.players[turn.player]
        if turn.fresh:
            self.state.nimg += self.size
        parts = self.state.local_microbatches
        if len(parts) == 1:
            return self._play_part(turn, player, parts[0], 1.0)
        each_terms = []
        for position, index in enumerate(parts):
            with self.state.part(position), player.apart() if index != parts[-1] else contextlib.nullcontext():
                each_terms.append(self._play_part(turn, player, index, 1 / len(parts)))
            self._torch[index] = self._generator.get_state()
        return {k: torch.stack([terms[k].detach() for terms in each_terms]).double().mean() for k in each_terms[0]}

    def _play_part(self, turn: Turn, player: Player, index: int, share: float) -> Terms:
        batch = self.batch(turn, index)
        with self._precision():
            terms = turn.terms(batch)
        player.backward(terms, share)
        return terms

    @contextlib.contextmanager
    def _precision(self) -> Iterator[None]:
        """In the block networks compute in bf16 where that is sound, if it is asked for."""
        with contextlib.ExitStack() as stack:
            if self.bf16:
                stack.enter_context(torch.autocast(self.device.type, torch.bfloat16))
                for player in self.state.players.values():
                    stack.enter_context(player.weight_copies.in_use())
            yield

    def batch(self, turn: Turn, index: int) -> Batch:
        """A part's rows of the newest images, of which those of a turn that is not fresh are the last ones again.

        A player's own real images follow one another from turn to turn, whatever those of the other turns are.
        """
        part = collectives.part(self.size, index, self.state.microbatches)
        nimg = self.state.nimg - self.size
        first, count = nimg + part.start, part.stop - part.start
        if turn.fresh:
            # Dropout and the like draw from torch's generator: seeded here, it needs no place in a checkpoint.
            self._generator.manual_seed(rng.derive(self.seed, "torch", first))
            self._real[index] = self.batch_source.real(first, count)
        elif index in self._torch:
            self._generator.set_state(self._torch[index])  # as if no other part had been played in between
        z, z_labels = self.batch_source.latents[turn.player](first, count)
        draw = RandomStream(self.seed, turn.player, first, count, self.device, self.arrays)
        number = nimg // self.batch_source.strides[turn.player]
        real = (
            self.batch_source.own(turn.player, number * self.size + part.start, count)
            if turn.own
            else self._real[index]
        )
        return Batch(
            real.images, real.labels, z, z_labels, size=self.size, turn=number, nimg=nimg, draw=draw,
            given=real.given, hidden=real.hidden,
        )  # fmt: skip

    @property
    def _generator(self) -> torch.Generator:
        """The device's own: torch.manual_seed asks every backend, which takes longer than a small layer."""
        index = self.device.index or 0
        return torch.cuda.default_generators[index] if self.device.type == "cuda" else torch.default_generator
