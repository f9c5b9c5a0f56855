"""A group of workers, by Ray Train: started together, started again when one is lost or leaves.

Each attempt is a worker group of a fixed size. Ray's own retries, elasticity and checkpoints are not used: an attempt
ends, and the next one starts on the nodes that there are by then, from the run's own checkpoint. So a lost node, a
drained node, a cluster that grew and a new start by the user take the same way, and a group that is asked to leave
loses nothing.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ganflow.cluster.session import ray_internals
from ganflow.cluster.session.fork_server import take_threads
from ganflow.cluster.session.session import RAY_FILES, session
from ganflow.cluster.workers.channel import event_channel
from ganflow.cluster.workers.scaling import ScalingPolicy, WorkerStarted
from ganflow.cluster.workers.stop_signals import signalled
from ganflow.config.schema import Config
from ganflow.errors import GanflowError, StoppedError
from ganflow.terminal.progress import Advanced, Bars, Waiting
from ganflow.training.events import Paused, Saved, Started

logger = logging.getLogger(__name__)

CANCEL_S = 30.0
LOOK_S = 0.5  # between two looks of a worker at pause requests


@dataclass(frozen=True)
class Refused:
    """A worker met an error that the user must mend; trying again would not help."""

    reason: str


@dataclass(frozen=True)
class Work:
    """The arguments of every worker. ``post`` sends an item to the driver's listener."""

    config: Config
    payload: Any
    event_channel: Any

    def post(self, item: object) -> None:
        self.event_channel.post.remote(item)

    def pause_request(self) -> Callable[[], str | None]:
        """A function that says why this worker group should pause, as soon as the driver wants that. It never waits."""
        import ray

        pause_request: list[str | None] = [None]

        def look() -> None:
            while pause_request[0] is None:
                pause_request[0] = ray.get(self.event_channel.pause_request.remote())
                time.sleep(LOOK_S)

        threading.Thread(target=look, name="ganflow-pause-request", daemon=True).start()
        return lambda: pause_request[0]


class AttemptResult:
    """The result of an attempt, as its workers report it."""

    def __init__(self, listener: Callable[[Any], None], policy: ScalingPolicy, bars: Bars) -> None:
        self._listener, self._policy, self._bars = listener, policy, bars
        self.begin()

    def begin(self) -> None:
        self.refused: str | None = None
        self.paused: Paused | None = None
        self.saved = self.training = False

    @contextmanager
    def awaited(self, workers: int) -> Iterator[None]:
        """Show that the workers of an attempt start, until one tells what it does."""
        self._wait = Waiting(f"{workers} worker{'s' if workers > 1 else ''} start{'' if workers > 1 else 's'}")
        try:
            yield
        finally:
            self._wait.close()

    def __call__(self, item: object) -> None:
        if not isinstance(item, WorkerStarted):
            self._wait.close()
        if isinstance(item, Refused):
            self.refused = self.refused or item.reason
        elif isinstance(item, WorkerStarted):
            self._policy.worker_started(item)
        elif isinstance(item, Advanced):
            self._bars(item)
        else:
            self.saved |= isinstance(item, Saved | Paused)
            self.training |= isinstance(item, Started)
            if isinstance(item, Paused):
                self.paused = item
            self._listener(item)


def nothing() -> None:
    """Do nothing beside the workers' start."""


def launch(
    config: Config, name: str, worker: Callable[[Work], None], payload: Any, listener: Callable[[Any], None],
    beside: Callable[[], None] = nothing,
) -> None:  # fmt: skip
    """Run ``worker`` in every rank to its end, with what it posts handed to ``listener``.

    ``beside`` is called once, while the first workers start; what it raises ends them.

    A worker that honours :meth:`Work.pause_request` saves its state, posts :class:`Paused` and returns; it is started
    again on the nodes that stay, or on more of them.

    Raises:
        StoppedError: a signal asked this process to stop; the state is saved.
        GanflowError: what a worker refused, a group that was lost more often than ``cluster.max_failures`` without a
            checkpoint in between, or a cluster that lacks the nodes for longer than ``cluster.patience_s``.
    """
    with session(config.cluster, meanwhile=_load), Bars() as bars:
        policy = ScalingPolicy(config.cluster, config.training.batch, config.training.microbatch)
        outcome = AttemptResult(listener, policy, bars)
        with event_channel(outcome) as pump, signalled(pump.ask, lambda: outcome.training) as signal:
            losses = 0
            while True:
                outcome.begin()
                workers, gpu = policy.acquire()
                pump.ask(signal())
                with policy.watched(workers, pump.ask), outcome.awaited(workers):
                    trainer = _trainer(config, name, worker, Work(config, payload, pump.actor), workers, gpu)
                    lost, beside = _attempt(trainer, beside), nothing
                pump.drain()
                if outcome.refused:
                    raise GanflowError(outcome.refused)
                if lost is None and outcome.paused is None:
                    return
                if outcome.paused and (why := signal()):
                    raise StoppedError(
                        f"stopped after {outcome.paused.nimg:,} images by {why}; the same command goes on from there",
                        why,
                    )
                if lost is None:
                    continue
                if signal():
                    raise _lost(lost) from lost
                losses = 1 if outcome.saved else losses + 1
                _judge(lost, losses, config.cluster.max_failures)
                policy.require_ping()


def _load() -> None:
    """Load what an attempt needs of Ray Train."""
    from ganflow.cluster.workers import process_group  # noqa: F401

    ray_internals.trainer_class()


def _judge(lost: Exception, losses: int, most: int) -> None:
    """Go on, and say so, unless that was tried often enough."""
    from ganflow.cluster.workers.connectivity import UnreachableError
    from ganflow.cluster.workers.process_group import reason_of

    refusal = reason_of(lost)
    if refusal is not None and not isinstance(refusal, UnreachableError):
        raise refusal
    if losses > most:
        raise refusal or _lost(lost) from lost
    logger.warning(f"{refusal or _reason(lost)}; starting again from the last checkpoint")


def _attempt(trainer: Any, beside: Callable[[], None]) -> Exception | None:
    """One attempt from its start to its end; the error that ended it. A signal must find the main thread free."""
    from ray.train import TrainingFailedError

    ended: list[Exception | None] = []

    def fit() -> None:
        try:
            trainer.fit()
            ended.append(None)
        except Exception as error:
            ended.append(error)

    thread = threading.Thread(target=fit, name="ganflow-fit", daemon=True)
    thread.start()
    try:
        beside()
    except Exception:
        trainer.cancel()
        thread.join(CANCEL_S)  # what asks Ray when it has ended would start it again
        raise
    while thread.is_alive():
        thread.join(0.2)
    error = ended[0]
    if error is not None and not isinstance(error, TrainingFailedError):
        raise error
    return error


def _trainer(config: Config, name: str, worker: Callable[[Work], None], work: Work, workers: int, gpu: bool) -> Any:
    from ray.train import RunConfig, ScalingConfig
    from ray.train.v2.api.config import FailureConfig

    from ganflow.cluster.workers.process_group import torch_config

    resources = {"CPU": config.cluster.cpus_per_worker} | ({"GPU": 1} if gpu else {})
    return ray_internals.trainer_class()(
        _guarded,
        train_loop_config={"worker": worker, "work": work},
        torch_config=torch_config(config.cluster, gpu),
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpu, resources_per_worker=resources),
        run_config=RunConfig(
            name=f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{time.monotonic_ns() % 10**6}",
            storage_path=str(RAY_FILES),
            failure_config=FailureConfig(max_failures=0, controller_failure_limit=0),
        ),
    )


def _guarded(loop_config: dict[str, Any]) -> None:
    work: Work = loop_config["work"]
    import ray

    take_threads()
    work.post(WorkerStarted(ray.get_runtime_context().get_node_id()))
    try:
        loop_config["worker"](work)
    except GanflowError as error:
        work.post(Refused(str(error)))
        raise  # the other ranks may be waiting for this one
    finally:
        ray.get(
            work.event_channel.pause_request.remote()
        )  # after all that was posted: a process that ends would take it along


def _lost(error: Exception) -> GanflowError:
    return GanflowError(f"{_reason(error)}; the same command goes on where they were")


def _reason(error: Exception) -> str:
    last_line = next((line for line in reversed(str(error).strip().splitlines()) if line.strip()), type(error).__name__)
    return f"the workers were lost: {last_line.strip().partition('. ')[0]}"  # Ray goes on with a page of advice
