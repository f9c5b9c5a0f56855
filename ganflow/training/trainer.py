"""The loop: turns of D and G, reports, snapshots, checkpoints."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ganflow import distributed, draws
from ganflow.config import TrainingConfig
from ganflow.gan import GAN
from ganflow.generator import Generator, GeneratorSpec
from ganflow.images import picture
from ganflow.training.checkpoint import CheckpointStore
from ganflow.training.events import Listener, Report, Saved, Snapshot, Started, silent
from ganflow.training.feed import Feed
from ganflow.training.schedule import factor
from ganflow.training.state import TrainState

GRID, POINTS = 100, 2500  # samples in a snapshot: images, points

Measure = Callable[[Generator], dict[str, float]]


def _no_figures(_: Generator) -> dict[str, float]:
    return {}


@dataclass
class Trainer:
    """Trains a :class:`GAN` from ``state.nimg`` images on. All ranks run the same calls in the same order."""

    gan: GAN
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
        """``d_steps`` turns of D on new real images, then one of G."""
        if self.training.schedule.varies:
            self._set_rates()
        part = distributed.share(self.training.batch)
        count = part.stop - part.start
        for _ in range(self.training.d_steps):
            self._discriminator_turn(self.state.nimg + part.start, count)
            self.state.nimg += self.training.batch
        self._generator_turn(self.state.nimg - self.training.batch + part.start, count)
        self.state.ema.update(self.state.nimg, self.training.batch * self.training.d_steps)

    def _set_rates(self) -> None:
        s = self.training.schedule
        of_initial = factor(self.state.nimg, s.warmup_kimg * 1000, s.decay, s.floor, self.total)
        self.state.G.scale_rate(of_initial)
        self.state.D.scale_rate(of_initial)

    def _discriminator_turn(self, first: int, count: int) -> None:
        self._seed_torch(first)
        real, labels = self.feed.real(first, count)
        z, z_labels = self.feed.discriminator_latents(first, count)
        with self.state.D.turn(self.state.G):
            with self._precision():
                terms = self.gan.discriminator_terms(real, labels, z, z_labels, self.state.nimg // self.training.batch)
            self.state.D.minimise(terms)
        self.state.means.add("D", terms)

    def _generator_turn(self, first: int, count: int) -> None:
        z, z_labels = self.feed.generator_latents(first, count)
        with self.state.G.turn(self.state.D):
            with self._precision():
                terms = self.gan.generator_terms(z, z_labels)
            self.state.G.minimise(terms)
        self.state.means.add("G", terms)

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
        if self.training.schedule.varies:
            metrics |= {"lr/G": self.state.G.rate, "lr/D": self.state.D.rate}
        then, nimg = self._clock
        metrics["images_per_second"] = (self.state.nimg - nimg) / (time.perf_counter() - then)
        self._tell(Report(self.state.nimg, metrics))
        self._clock = time.perf_counter(), self.state.nimg

    def _snapshot(self) -> None:
        self.state.reconcile()
        generator = Generator(self.state.ema.network, self.spec)
        metrics = self.measure(generator)
        if distributed.rank() == 0:
            samples = generator.sample(POINTS if self.spec.points else GRID, seed=0)
            shown = picture(samples, self.spec.centres, columns=10)
            self._tell(Snapshot(self.state.nimg, shown, metrics))
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
