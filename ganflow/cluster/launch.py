"""A gang of workers in one process group, by Ray Train: started together, restarted together when one is lost."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganflow.cluster.board import board
from ganflow.cluster.session import gang, session
from ganflow.errors import GanflowError
from ganflow.schema import Config


@dataclass(frozen=True)
class Refused:
    """A worker met an error that the user must mend; trying again would not help."""

    reason: str


@dataclass(frozen=True)
class Work:
    """What every worker gets. ``post`` sends an item to the driver's listener."""

    config: Config
    payload: Any
    board: Any

    def post(self, item: Any) -> None:
        self.board.post.remote(item)


def launch(
    config: Config, name: str, worker: Callable[[Work], None], payload: Any, listener: Callable[[Any], None]
) -> None:
    """Run ``worker`` in every rank, with what it posts handed to ``listener``.

    Ray's own checkpoints are not used: the worker resumes from the run's :class:`CheckpointStore`, whose files are
    checksummed, so a restart by Ray and a new start by the user take the same way.

    Raises:
        GanflowError: what a worker refused, or a gang that was lost more often than ``cluster.max_failures``.
    """
    refused: list[str] = []

    def listen(item: Any) -> None:
        if isinstance(item, Refused):
            refused.append(item.reason)
        else:
            listener(item)

    lost: Exception | None = None
    with session(config.cluster), board(listen) as actor:
        from ray.train import TrainingFailedError

        trainer = _trainer(config, name, worker, Work(config, payload, actor))
        try:
            trainer.fit()
        except TrainingFailedError as error:
            lost = error
    if refused:
        raise GanflowError(refused[0])
    if lost is not None:
        raise _lost(lost) from lost


def _trainer(config: Config, name: str, worker: Callable[[Work], None], work: Work) -> Any:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    workers, gpu = gang(config.cluster, config.training.batch)
    resources = {"CPU": config.cluster.cpus_per_worker} | ({"GPU": 1} if gpu else {})
    storage = Path(config.cluster.storage).absolute() / "ray"
    return TorchTrainer(
        _guarded,
        train_loop_config={"worker": worker, "work": work},
        torch_config=TorchConfig(backend="nccl" if gpu else "gloo"),
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpu, resources_per_worker=resources),
        run_config=RunConfig(
            name=f"{name}-{time.strftime('%Y%m%d-%H%M%S')}",
            storage_path=str(storage),
            failure_config=FailureConfig(max_failures=config.cluster.max_failures),
        ),
    )


def _guarded(loop_config: dict[str, Any]) -> None:
    work: Work = loop_config["work"]
    import ray

    if ray.get(work.board.holds.remote(Refused)):
        return  # Ray starts the gang again after the raise below
    try:
        loop_config["worker"](work)
    except GanflowError as error:
        ray.get(work.board.post.remote(Refused(str(error))))
        raise  # the other ranks may be waiting for this one


def _lost(error: Exception) -> GanflowError:
    reason = next((line for line in reversed(str(error).strip().splitlines()) if line.strip()), type(error).__name__)
    return GanflowError(f"the workers were lost: {reason.strip()}; the same command goes on where they were")
