"""The loop: turns, reports, snapshots, checkpoints."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from ganflow.config.schema import TrainingConfig
from ganflow.distributed import collectives
from ganflow.distributed.host_arrays import OneCopy
from ganflow.errors import ConfigError
from ganflow.methods.base import Method, Turn
from ganflow.methods.generator import Generator, GeneratorSpec
from ganflow.training.accumulation import GradientAccumulator
from ganflow.training.batches import BatchSource
from ganflow.training.callbacks import Callbacks
from ganflow.training.checkpoints.async_writer import Writer
from ganflow.training.checkpoints.checkpoint import CheckpointStore, copied, load
from ganflow.training.divergence import Guard, UnhealthyError
from ganflow.training.events import Event, Paused, Progressed, Report, Saved, Saving, Snapshot, Started, Warned
from ganflow.training.rhythm import CHECKPOINT, REPORT, SNAPSHOT, Rhythm
from ganflow.training.schedules import Ramp, factor, left
from ganflow.training.state import TrainState

COLUMNS = 10  # of a snapshot
PAUSE_CHECK_S = 0.5  # between two checks for a pause request
PROGRESS_S = 0.5  # between two events that only move the bar


def grid(generator: Generator) -> bytes:
    """The first samples as one picture, a PNG."""
    signal = generator.spec.signal
    return signal.preview(generator.sample(signal.shown, seed=0), COLUMNS, generator.spec.centres)


@dataclass
class Trainer:
    """Plays a method's turns from ``state.nimg`` images on. All ranks run the same calls in the same order."""

    method: Method
    state: TrainState
    batch_source: BatchSource
    spec: GeneratorSpec
    training: TrainingConfig
    seed: int
    device: torch.device
    guard: Guard
    ramps: Sequence[Ramp] = ()
    bf16: bool = False
    store: CheckpointStore | None = None
    callbacks: Callbacks = field(default_factory=Callbacks)
    writer: Writer = field(default_factory=Writer)
    arrays: OneCopy | None = None
    rhythm: Rhythm = field(default_factory=Rhythm)
    preview: Callable[[Generator], bytes] = grid

    def __post_init__(self) -> None:
        self.accumulator = GradientAccumulator(
            self.state, self.batch_source, self.training.batch, self.seed, self.device, self.bf16, self.arrays
        )
        self._images = self.training.batch * sum(turn.fresh for turn in self.method.turns)  # of a step
        self._pause_every, self._steps, self._saved_at, self._shown_at = 1, 0, -1, 0.0

    @property
    def total(self) -> int:
        """Length of the run in images."""
        return self.training.total

    def resume(self) -> None:
        """Go on from the newest good checkpoint, if there is one."""
        if self.store and collectives.rank() == 0:
            self.store.storage.tidy()
        saved = self._saved()
        if saved is not None:
            self.state.load_state_dict(saved)
        self.guard.recall()

    def _saved(self) -> dict[str, Any] | None:
        """The newest good state. Rank 0 finds it, so that all ranks go on from the same."""
        store = self.store
        content = collectives.from_rank_0(store.newest) if store else None
        return None if content is None else load(content, self.device)

    def fit(self) -> None:
        """Train to the end of the run, then snapshot and save; or until a pause, with the state saved.

        Raises:
            GanflowError: training broke down, and going back to a checkpoint did not help; nothing could be saved for
                longer than the storage is waited for; or a worker's part of the batch needs more memory than it has.
        """
        self.rhythm.begin()
        self._begin()
        while self.state.nimg < self.total:
            before = self.state.nimg
            try:
                self._step_within_memory()
                self._show_progress()
                self._keep_rhythm(before, self.state.nimg)
                if self._pauses():
                    return
            except UnhealthyError as why:
                self._go_back(str(why))
        self.writer.flush()

    def _begin(self) -> None:
        players = tuple(self.state.players)
        self._tell(Started(self.state.nimg, self.total, collectives.world_size(), str(self.device), players))
        self._clock = time.perf_counter(), self.state.nimg

    def _go_back(self, why: str) -> None:
        self.writer.flush()
        saved = self._saved()
        at = self.state.nimg
        self.guard.go_back(f"after {at:,} images: {why}", saved is not None)
        assert saved is not None
        self.state.load_state_dict(saved)
        self._begin()
        self._warn(f"after {at:,} images: {why}; going back, learning rates from now on times {self.guard.rate:g}")

    def _step_within_memory(self) -> None:
        try:
            self.step()
        except torch.OutOfMemoryError:
            if self._saved_at >= 0:
                raise  # it was enough until now: a restart of the workers may get as much
            raise self._too_much_at_once() from None

    def _too_much_at_once(self) -> ConfigError:
        rows = self.training.batch // self.state.microbatches
        fewer = next((n for n in range(rows // 2, 0, -1) if rows % n == 0), None)
        hint = f"set training.microbatch={fewer}, or less" if fewer else "use smaller networks"
        what = f"{rows} images at once need" if rows > 1 else "one image needs"
        allowed = f"{what} more memory than {self.device} has; {hint}"
        return ConfigError("training.microbatch", self.training.microbatch, allowed)

    def step(self) -> None:
        """Every turn of the method in its order, then the average.

        Raises:
            UnhealthyError: too many updates in a row were not finite.
        """
        if self._varies:
            self._follow_schedule()
        self.accumulator.begin(self._images)
        for turn in self.method.turns:
            self._take(turn)
        self.state.ema.update(self.state.nimg, self._images)

    def _take(self, turn: Turn) -> None:
        """One turn, whose update is left out where its gradients are not finite."""
        player = self.state.players[turn.player]
        with player.turn(*(other for other in self.state.players.values() if other is not player)):
            terms = self.accumulator.play(turn)
            turn.finish()
            left_out = None
            if self.guard.looks:
                fault = self.guard.check_gradients(turn.player, player, terms)
                if fault is not None:
                    if self.guard.is_news(turn.player):
                        self._warn(fault)
                    return
            else:
                left_out = self.guard.flag_gradients(turn.player, player)
            turn.adjust_gradients(player.parameters)
            player.step(left_out)
            turn.constrain(player.parameters)
        self.state.means.add(turn.player, terms, left_out)

    @property
    def _varies(self) -> bool:
        return self.training.schedule.varies or self.guard.rollbacks > 0

    def _follow_schedule(self) -> None:
        s, nimg = self.training.schedule, self.state.nimg
        warmup, end = s.warmup_kimg * 1000, self.total if s.kimg is None else s.kimg * 1000
        of_initial = factor(nimg, warmup, s.decay, s.floor, end) * self.guard.rate
        for player in self.state.players.values():
            player.scale_rate(of_initial)
        for ramp in self.ramps:
            ramp.move(left(nimg, warmup, s.decay, end))

    def _show_progress(self) -> None:
        """Let the bar move. The host counts the images, so nothing waits for the device."""
        if time.monotonic() - self._shown_at >= PROGRESS_S:
            self._shown_at = time.monotonic()
            self._tell(Progressed(self.state.nimg))

    def _keep_rhythm(self, before: int, now: int) -> None:
        """Report, snapshot and save where that is due and in the rhythm; at the end of the run in any case."""
        t, ends = self.training, now >= self.total
        every = {REPORT: t.report_kimg, SNAPSHOT: t.snapshot_kimg, CHECKPOINT: t.checkpoint_kimg}
        due = [kind for kind, kimg in every.items() if ends or int(before / (kimg * 1000)) != int(now / (kimg * 1000))]
        chosen = due if ends else self.rhythm.choose(due)
        if chosen:
            self._look_at_guard()
        happen = {REPORT: self._report, SNAPSHOT: self._snapshot, CHECKPOINT: self._checkpoint}
        for kind in due:
            if kind in chosen:
                with self.rhythm.timed(kind):
                    happen[kind]()
            else:
                self._leave_out(kind)

    def _leave_out(self, kind: str) -> None:
        if kind != REPORT:
            self.state.reconcile()  # which the weights may depend on: they must not depend on the clock
        line = self.rhythm.news(kind)
        if line is not None:
            self._warn(line)

    def _look_at_guard(self) -> None:
        for line in self.guard.look():
            self._warn(line)

    def _report(self) -> None:
        metrics = self.state.means.pop() | self._figures()
        if self._varies:
            metrics |= {f"lr/{name}": player.rate for name, player in self.state.players.items()}
            for ramp in self.ramps:
                metrics |= ramp.figures()
        then, nimg = self._clock
        rate = (self.state.nimg - nimg) / (time.perf_counter() - then)
        metrics["images_per_second"] = rate
        self._sync_pause_interval(rate)
        self._tell(Report(self.state.nimg, metrics))
        self._clock = time.perf_counter(), self.state.nimg
        if "sample_diversity" in metrics:
            collapse = self.guard.check_collapse(metrics["sample_diversity"], self.state)
            if collapse is not None:
                self._warn(collapse)

    def _figures(self) -> dict[str, float]:
        figures = self.method.figures()
        if not figures:
            return {}
        values = torch.stack([value.detach().double() for value in figures.values()])
        collectives.mean_([values])
        return dict(zip(figures, values.tolist(), strict=True))

    def _settle(self) -> None:
        """Make the state one for all ranks; it goes no further when it is not finite."""
        self.state.reconcile()
        if not self.state.finite():
            raise UnhealthyError("weights, running statistics or optimizers are not finite")

    def _snapshot(self) -> None:
        self._settle()
        generator = Generator(self.state.ema.network, self.spec)
        metrics = self.callbacks.measure(generator)
        if collectives.rank() == 0:
            self._tell(Snapshot(self.state.nimg, self.preview(generator), metrics))
        self._clock = time.perf_counter(), self.state.nimg

    def _checkpoint(self) -> None:
        self._settle()
        if self.state.nimg < self.total and not self.guard.is_healthy(self.state):
            return
        self._save(self.state.state_dict())

    def _save(self, state: dict[str, object]) -> None:
        store, nimg = self.store, self.state.nimg
        self._saved_at = nimg
        if collectives.rank() > 0 or store is None:
            return
        self._tell(Saving(nimg))
        now = copied(state)
        self.writer.put(lambda: store.save(now, nimg), lambda: self._tell(Saved(nimg)), CHECKPOINT)

    def _sync_pause_interval(self, rate: float) -> None:
        """Set the steps between two checks for a pause, about ``PAUSE_CHECK_S``: the same on all ranks.

        Each check is a collective.
        """
        steps = torch.tensor([PAUSE_CHECK_S * rate / self.training.batch], dtype=torch.float64, device=self.device)
        collectives.mean_([steps])
        self._pause_every = max(1, int(steps.item()))

    def _pauses(self) -> bool:
        """Save everything and emit :class:`Paused`, if a pause was requested on any rank; True then."""
        self._steps += 1
        if self.state.nimg >= self.total or self._steps % self._pause_every:
            return False
        why = self.callbacks.pause_requested()
        if not collectives.anywhere(why is not None, self.device):
            return False
        self._look_at_guard()
        if self._saved_at != self.state.nimg and self.state.finite() and self.guard.is_healthy(self.state):
            self._save(self.state.state_dict(apart=True))
        self.writer.flush()
        reasons = list(filter(None, collectives.gather_objects(why)))
        self._tell(Paused(self.state.nimg, reasons[0]))
        return True

    def _warn(self, message: str) -> None:
        self._tell(Warned(self.state.nimg, message))

    def _tell(self, event: Event) -> None:
        if collectives.rank() == 0:
            self.callbacks.listener(event)
