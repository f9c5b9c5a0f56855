"""What checkpoints cost a training: a few steps with a checkpoint beside them, against the same steps without one.

Blocks with and without alternate in this process, so that a machine whose speed drifts slows both. A block with one is
over when its checkpoint is stored, so all that it costs is counted. The figure is the median of the differences, over
the time from one checkpoint to the next (``training.checkpoint_kimg``).

    python benchmarks/checkpoints.py [overrides…]                         e.g. experiment=dcgan data=idx
"""

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from ganflow.config import components, composition
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset
from ganflow.terminal.console import entry_point
from ganflow.training.build import build_trainer
from ganflow.training.trainer import Trainer

STEPS = 8  # of a block: the checkpoint is written while they run
PAIRS, LEAST, LONGEST_S = 400, 10, 240.0


def block(trainer: Trainer, save: bool) -> float:
    """Seconds of a block."""
    start = time.perf_counter()
    trainer.step()
    if save:
        trainer._checkpoint()
    else:
        trainer._settle()
    for _ in range(STEPS - 1):
        trainer.step()
    trainer.writer.flush()
    if trainer.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


@entry_point
def main(*overrides: str) -> None:
    config = composition.compose(overrides)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    steps = max(2, round(config.training.checkpoint_kimg * 1000 / config.training.batch))
    with tempfile.TemporaryDirectory() as folder:
        prepare(components.build("source", config.data, "data"), Path(folder) / "data")
        trainer = build_trainer(config, Dataset.open(Path(folder) / "data"), device, Path(folder) / "run")
        block(trainer, save=True)
        stalls, plain, start = list[float](), list[float](), time.monotonic()
        while len(stalls) < PAIRS and (len(stalls) < LEAST or time.monotonic() - start < LONGEST_S):
            first = len(stalls) % 2 == 0
            times = {save: block(trainer, save) for save in (first, not first)}
            stalls.append(times[True] - times[False])
            plain.append(times[False])
        size = max(path.stat().st_size for path in (Path(folder) / "run").glob("checkpoint-*"))
    interval = statistics.median(plain) / STEPS * steps
    low, middle, high = (1 + stall / interval for stall in interval_of_median(stalls))
    print(f"{config.recipe}, batch {config.training.batch}, {device}, {torch.get_num_threads()} threads")
    print(f"a checkpoint of {size / 2**20:.1f} MiB every {config.training.checkpoint_kimg:g} kimg ({steps} steps):")
    print(f"{statistics.median(stalls) * 1000:.1f} ms of {interval:.2f} s,", end=" ")
    print(f"ratio {middle:.4f} (95 %: {low:.4f} to {high:.4f}, {len(stalls)} pairs)")


def interval_of_median(values: list[float]) -> tuple[float, float, float]:
    """The median between the bounds of its 95 % interval, by the percentile bootstrap."""
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(1000))
    return medians[24], statistics.median(values), medians[974]


if __name__ == "__main__":
    main(*sys.argv[1:])
