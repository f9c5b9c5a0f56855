"""Two workers in one process group against two that know nothing of each other, on the same two cores.

Each pair trains the same recipe: together on one global batch, and apart on half of it each. Both pairs are alive all
the time and take turns, so that a machine whose speed drifts slows both. The figure is the median over blocks of
(images/s together) / (images/s of the two apart).

    python benchmarks/ddp_efficiency.py [overrides…]
"""

import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from ganflow.terminal.console import entry_point

BLOCKS, BLOCK_S = 15, 4.0
GLOO_S = 600


def images_per_second(
    rank: int, together: bool, folder: Path, overrides: Sequence[str], turn: Any, results: Any
) -> None:
    """One worker: trains while it is its pair's turn, and says how fast it was."""
    import datetime

    import torch

    torch.set_num_threads(1)
    from ganflow.config import composition
    from ganflow.data.prepared.dataset import Dataset
    from ganflow.training.build import build_trainer

    if together:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        timeout = datetime.timedelta(seconds=GLOO_S)
        torch.distributed.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=2, timeout=timeout)
    config = composition.compose(overrides)
    config.training.batch //= 1 if together else 2
    trainer = build_trainer(config, Dataset.open(folder / "data"), torch.device("cpu"))
    trainer.step()
    trainer.step()
    start = time.perf_counter()
    trainer.step()
    steps = torch.tensor([max(2.0, BLOCK_S / (time.perf_counter() - start))])
    if together:
        torch.distributed.broadcast(steps, 0)
    barrier: Barrier = turn
    for _ in range(BLOCKS):
        for now in (True, False):
            barrier.wait()
            if now == together:
                start = time.perf_counter()
                for _ in range(int(steps)):
                    trainer.step()
                rows = int(steps) * config.training.batch / (2 if together else 1)
                results.put((together, rows / (time.perf_counter() - start)))


@entry_point
def main(*overrides: str) -> None:
    from ganflow.config import components, composition
    from ganflow.data.prepare import prepare

    config = composition.compose(overrides)
    context = multiprocessing.get_context("spawn")
    turn, results = context.Barrier(4), context.Queue()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(components.build("source", config.data, "data"), folder / "data")
        workers = [
            context.Process(target=images_per_second, args=(rank, together, folder, overrides, turn, results))
            for together in (True, False)
            for rank in (0, 1)
        ]
        for worker in workers:
            worker.start()
        speeds: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(4 * BLOCKS):
            together, speed = results.get()
            speeds[together].append(speed)
        for worker in workers:
            worker.join()
    pairs = [
        (sum(speeds[True][i : i + 2]), sum(speeds[False][i : i + 2])) for i in range(0, 2 * BLOCKS, 2)
    ]  # of one block each: the barrier keeps them in order
    ratios = sorted(a / b for a, b in pairs)
    a, b = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{config.recipe}, batch {config.training.batch}, 2 workers of 1 thread")
    print(f"together {a:.0f}, apart {b:.0f} images/s, ratio {statistics.median(ratios):.3f}", end=" ")
    print(f"(quartiles {ratios[BLOCKS // 4]:.3f} to {ratios[-1 - BLOCKS // 4]:.3f}, {BLOCKS} blocks)")


if __name__ == "__main__":
    main(*sys.argv[1:])
