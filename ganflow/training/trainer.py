"""The loop: turns, reports, snapshots, checkpoints."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ganflow import distributed, draws
from ganflow.config import TrainingConfig
from ganflow.draws import Draw
from ganflow.generator import Generator, GeneratorSpec
from ganflow.images import grid
from ganflow.method import Batch, Method, Turn
from ganflow.training.checkpoint import CheckpointStore
from ganflow.training.events import Listener, Report, Saved, Snapshot, Started, silent
from ganflow.training.feed import Feed
from ganflow.training.schedule import factor
from ganflow.training.state import TrainState

GRID = 100  # samples in a snapshot

Measure = Callable[[Generator], dict[str, float]]


def _no_figures(_: Generator) -> dict[str, float]:
    return {}


@dataclass
class Trainer:
    """Plays a method's turns from ``state.nimg`` images on. All ranks run the same calls in the same order."""

    method: Method
    state: TrainState
    feed: Feed
    spec: GeneratorSpec
    training: TrainingConfig
    seed: int
    device: torch.device
    bf16: bool = False
    store: CheckpointStore | None = None
    listener: Listener = silent
    measure: Measure = _no_figures

    @property
    def total(self) -> int:
        """Length of the run in images: whole batches."""
        batch = self.training.batch
        return max(1, round(self.training.kimg * 1000 / batch)) * batch

    def resume(self) -> None:
        """Go on from the newest good checkpoint, if there is one."""
        saved = self.store.latest(self.device) if self.store else None
        if saved is not None:
            self.state.load_state_dict(saved)

    def fit(self) -> None:
        """Train to the end of the run, then snapshot and save."""
        self._tell(Started(self.state.nimg, self.total, distributed.world_size(), str(self.device)))
        self._clock = time.perf_counter(), self.state.nimg
        while self.state.nimg < self.total:
            before = self.state.nimg
            self.step()
            self._keep_rhythm(before, self.state.nimg)

    def step(self) -> None:
        """Every turn of the method in its order, then the average."""
        if self.training.schedule.varies:
            self._set_rates()
        before = self.state.nimg
        for turn in self.method.turns:
            self._take(turn)
        self.state.ema.update(self.state.nimg, self.state.nimg - before)

    def _take(self, turn: Turn) -> None:
        batch = self._batch(turn)
        player = self.state.players[turn.player]
        with player.turn(*(other for other in self.state.players.values() if other is not player)):
            with self._precision():
                terms = turn.terms(batch)
            player.backward(terms)
            turn.adjust_gradients(player.parameters)
            player.step()
            turn.constrain(player.parameters)
        self.state.means.add(turn.player, terms)

    def _batch(self, turn: Turn) -> Batch:
        """This rank's rows of the next images, or once more of the last ones."""
        size = self.training.batch
        part = distributed.share(size)
        nimg = self.state.nimg if turn.fresh else self.state.nimg - size
        first, count = nimg + part.start, part.stop - part.start
        if turn.fresh:
            self._seed_torch(first)
            self._real = self.feed.real(first, count)
            self.state.nimg += size
        z, z_labels = self.feed.latents[turn.player](first, count)
        draw = Draw(self.seed, turn.player, first, count, self.device)
        number = nimg // self.feed.strides[turn.player]
        return Batch(*self._real, z, z_labels, size=size, turn=number, nimg=nimg, draw=draw)

    def _set_rates(self) -> None:
        s = self.training.schedule
        of_initial = factor(self.state.nimg, s.warmup_kimg * 1000, s.decay, s.floor, self.total)
        for player in self.state.players.values():
            player.scale_rate(of_initial)

    def _seed_torch(self, first: int) -> None:
        # Dropout and the like draw from torch's generator: seeded here, it needs no place in a checkpoint.
        # The device's own generator: torch.manual_seed asks every backend, which takes longer than a small layer.
        seed = draws.derive(self.seed, "torch", first)
        index = self.device.index or 0
        generator = torch.cuda.default_generators[index] if self.device.type == "cuda" else torch.default_generator
        generator.manual_seed(seed)

    def _precision(self) -> contextlib.AbstractContextManager[object]:
        return torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else contextlib.nullcontext()

    def _keep_rhythm(self, before: int, now: int) -> None:
        def due(kimg: float) -> bool:
            return now >= self.total or int(before / (kimg * 1000)) != int(now / (kimg * 1000))

        t = self.training
        if due(t.report_kimg):
            self._report()
        if due(t.snapshot_kimg):
            self._snapshot()
        if due(t.checkpoint_kimg):
            self._checkpoint()

    def _report(self) -> None:
        metrics = self.state.means.pop()
        metrics |= {name: float(figure) for name, figure in self.method.figures().items()}
        if self.training.schedule.varies:
            metrics |= {f"lr/{name}": player.rate for name, player in self.state.players.items()}
        then, nimg = self._clock
        metrics["images_per_second"] = (self.state.nimg - nimg) / (time.perf_counter() - then)
        self._tell(Report(self.state.nimg, metrics))
        self._clock = time.perf_counter(), self.state.nimg

    def _snapshot(self) -> None:
        self.state.reconcile()
        generator = Generator(self.state.ema.network, self.spec)
        metrics = self.measure(generator)
        if distributed.rank() == 0:
            images = generator.sample(GRID, seed=0)
            self._tell(Snapshot(self.state.nimg, grid(images, columns=10), metrics))
        self._clock = time.perf_counter(), self.state.nimg

    def _checkpoint(self) -> None:
        self.state.reconcile()
        state = self.state.state_dict()
        if distributed.rank() == 0 and self.store:
            self.store.save(state, self.state.nimg)
            self._tell(Saved(self.state.nimg))

    def _tell(self, event: Started | Report | Snapshot | Saved) -> None:
        if distributed.rank() == 0:
            self.listener(event)
