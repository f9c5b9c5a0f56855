"""The loop: turns, reports, snapshots, checkpoints."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ganflow import distributed, draws
from ganflow.draws import Draw
from ganflow.generator import Generator, GeneratorSpec
from ganflow.images import picture
from ganflow.method import Batch, Method, Turn
from ganflow.schema import TrainingConfig
from ganflow.training.checkpoint import CheckpointStore
from ganflow.training.events import Event, Listener, Report, Saved, Snapshot, Started, Warned, silent
from ganflow.training.feed import Feed
from ganflow.training.guard import Guard, UnhealthyError
from ganflow.training.schedule import factor
from ganflow.training.state import TrainState

GRID, POINTS = 100, 2500  # samples in a snapshot: images, points

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
    guard: Guard
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
        self.guard.recall()

    def fit(self) -> None:
        """Train to the end of the run, then snapshot and save.

        Raises:
            GanflowError: training broke down, and going back to a checkpoint did not help.
        """
        self._begin()
        while self.state.nimg < self.total:
            before = self.state.nimg
            try:
                self.step()
                self._keep_rhythm(before, self.state.nimg)
            except UnhealthyError as why:
                self._go_back(str(why))

    def _begin(self) -> None:
        self._tell(Started(self.state.nimg, self.total, distributed.world_size(), str(self.device)))
        self._clock = time.perf_counter(), self.state.nimg

    def _go_back(self, why: str) -> None:
        distributed.barrier()  # rank 0 may still be writing
        saved = self.store.latest(self.device) if self.store else None
        at = self.state.nimg
        self.guard.go_back(f"after {at:,} images: {why}", saved is not None)
        assert saved is not None
        self.state.load_state_dict(saved)
        self._begin()
        self._warn(f"after {at:,} images: {why}; going back, learning rates from now on times {self.guard.rate:g}")

    def step(self) -> None:
        """Every turn of the method in its order, then the average.

        Raises:
            UnhealthyError: too many updates in a row were not finite.
        """
        if self._rates_vary:
            self._set_rates()
        before = self.state.nimg
        taken = [turn.player for turn in self.method.turns if self._take(turn)]
        if "G" in taken:
            self.state.ema.update(self.state.nimg, self.state.nimg - before)

    def _take(self, turn: Turn) -> bool:
        """One turn; False where its update had to be left out."""
        batch = self._batch(turn)
        player = self.state.players[turn.player]
        with player.turn(*(other for other in self.state.players.values() if other is not player)):
            with self._precision():
                terms = turn.terms(batch)
            player.backward(terms)
            if not self.guard.passes(turn.player, player, terms, self._warn):
                return False
            turn.adjust_gradients(player.parameters)
            player.step()
            turn.constrain(player.parameters)
        self.state.means.add(turn.player, terms)
        return True

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

    @property
    def _rates_vary(self) -> bool:
        return self.training.schedule.varies or self.guard.rollbacks > 0

    def _set_rates(self) -> None:
        s = self.training.schedule
        of_initial = factor(self.state.nimg, s.warmup_kimg * 1000, s.decay, s.floor, self.total) * self.guard.rate
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
        metrics = self.state.means.pop() | self._figures()
        if self._rates_vary:
            metrics |= {f"lr/{name}": player.rate for name, player in self.state.players.items()}
        then, nimg = self._clock
        metrics["images_per_second"] = (self.state.nimg - nimg) / (time.perf_counter() - then)
        self._tell(Report(self.state.nimg, metrics))
        self._clock = time.perf_counter(), self.state.nimg
        if "sample_diversity" in metrics:
            self.guard.watch(metrics["sample_diversity"], self.state, self._warn)

    def _figures(self) -> dict[str, float]:
        figures = self.method.figures()
        if not figures:
            return {}
        values = torch.stack([value.detach().double() for value in figures.values()])
        distributed.mean_([values])
        return dict(zip(figures, values.tolist(), strict=True))

    def _settle(self) -> None:
        """Make the state one for all ranks; it goes no further when it is not finite."""
        self.state.reconcile()
        if not self.state.finite():
            raise UnhealthyError("weights, running statistics or optimizers are not finite")

    def _snapshot(self) -> None:
        self._settle()
        generator = Generator(self.state.ema.network, self.spec)
        metrics = self.measure(generator)
        if distributed.rank() == 0:
            samples = generator.sample(POINTS if self.spec.points else GRID, seed=0)
            shown = picture(samples, self.spec.centres, columns=10)
            self._tell(Snapshot(self.state.nimg, shown, metrics))
        self._clock = time.perf_counter(), self.state.nimg

    def _checkpoint(self) -> None:
        self._settle()
        if self.state.nimg < self.total and not self.guard.trusts(self.state):
            return
        state = self.state.state_dict()
        if distributed.rank() == 0 and self.store:
            self.store.save(state, self.state.nimg)
            self._tell(Saved(self.state.nimg))

    def _warn(self, message: str) -> None:
        self._tell(Warned(self.state.nimg, message))

    def _tell(self, event: Event) -> None:
        if distributed.rank() == 0:
            self.listener(event)
