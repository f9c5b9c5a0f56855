"""Small trainings: a data set, a configuration, and a run that is cut off at an image count."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganflow.config import composition
from ganflow.config.schema import Config
from ganflow.data.prepared.dataset import Dataset
from ganflow.distributed import collectives
from ganflow.training.build import build_trainer
from ganflow.training.callbacks import Callbacks
from ganflow.training.events import Event, Listener, Paused, Report, Snapshot, silent
from ganflow.training.trainer import Trainer

CPU = torch.device("cpu")


class CutOffError(Exception):
    """Stands for a power loss in the middle of training."""


def config(*overrides: str) -> Config:
    """Eight steps of 32 images, checkpoints every two steps, reports that do not fall on them."""
    rhythm = ["training.report_kimg=0.096", "training.checkpoint_kimg=0.064", "training.snapshot_kimg=0.128"]
    small = ["training.batch=32", "training.kimg=0.256", "evaluation.samples=64", *rhythm]
    return composition.compose([*small, *overrides])


def trainer(
    cfg: Config,
    data: Path,
    folder: Path | None = None,
    cut_at: int | None = None,
    pause_at: int | None = None,
    listener: Listener = silent,
) -> Trainer:
    """A trainer at image 0. Its batches end with an error at image ``cut_at``; its last rank is asked to pause."""
    last = collectives.rank() == collectives.world_size() - 1

    def pause_requested() -> str | None:
        return "a notice" if pause_at is not None and last and made.state.nimg >= pause_at else None

    callbacks = Callbacks(listener, pause_requested=pause_requested)
    made = build_trainer(cfg, Dataset.open(data), CPU, folder, callbacks)
    if pause_at is not None:
        made._sync_pause_interval = lambda rate: None  # type: ignore[method-assign]  # a look at every step
    if cut_at is not None:
        real = made.batch_source.real

        def failing(first: int, count: int) -> tuple[Tensor, Tensor | None]:
            if first + count > cut_at:
                raise CutOffError
            return real(first, count)

        made.batch_source.real = failing  # type: ignore[method-assign]
    return made


def run(
    cfg: Config, data: Path, folder: Path | None = None, cut_at: int | None = None, pause_at: int | None = None
) -> dict[str, Any]:
    """Resume, train, and tell what came out: the whole state, and what was reported when."""
    told: list[Event] = []
    made = trainer(cfg, data, folder, cut_at, pause_at, told.append)
    made.resume()
    start = made.state.nimg
    try:
        made.fit()
    except CutOffError:
        made.writer.flush()
        collectives.barrier()
    paused = [event for event in told if isinstance(event, Paused)]
    return {"start": start, "state": made.state.state_dict(), "told": figures(told), "paused": paused}


def figures(events: list[Event]) -> dict[tuple[str, int], Any]:
    """What does not depend on the clock, by event and image count."""
    told: dict[tuple[str, int], Any] = {}
    for event in events:
        if isinstance(event, Report):
            told["report", event.nimg] = {k: v for k, v in event.metrics.items() if k != "images_per_second"}
        elif isinstance(event, Snapshot):
            told["snapshot", event.nimg] = event.grid
    return told


def same(a: Any, b: Any) -> bool:
    """Whether two states are equal to the last bit."""
    if isinstance(a, Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)
