"""What one of 1,024 ranks needs to start and to take its rows, for data sets of a million to a billion images.

The shards are sparse files: they look like terabytes of 3×32×32 images, and reading them measures everything but the
disk. Every size runs in a process of its own. Times are the CPU's; memory is what the process has more than before it
opened the data, without what the kernel keeps of files.

    OMP_NUM_THREADS=1 python -m benchmarks.at_scale
"""

import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from ganflow.data.prepared.dataset import Dataset, Facts
from ganflow.distributed import collectives
from ganflow.terminal.console import entry_point
from ganflow.training.batches import BatchSource
from tests.support.sparse import write_sparse

FACTS = Facts((3, 32, 32), 1000)
RANKS, BATCH, LATENT, TURNS = 1024, 4096, 64, 320
SIZES = {10**6: 12, 10**7: 115, 10**8: 1145, 10**9: 11445}  # images: shards of 256 MiB


def memory() -> float:
    """MiB of this process that no file stands behind."""
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in status if line.startswith("RssAnon:")]
    return int(line.split()[1]) / 1024


def measure(root: Path) -> None:
    """Print the line of one data set."""
    before = memory()
    start = time.process_time()
    dataset = Dataset.open(root, verify=False)
    opened, of_open = time.process_time() - start, memory() - before
    feed = BatchSource(dataset, 0, LATENT, True, False, torch.device("cpu"), BATCH, {"D": BATCH, "G": BATCH})
    part = collectives.part(BATCH, RANKS - 1, RANKS)
    times = []
    for turn in range(TURNS):
        start = time.process_time()
        feed.real(turn * BATCH + part.start, part.stop - part.start)
        feed.latents["G"](turn * BATCH + part.start, part.stop - part.start)
        times.append(time.process_time() - start)
    first, rest = sum(times[:16]), statistics.mean(times[16:])
    grown = memory() - before
    print(
        f"{len(dataset):>13,} images  {opened:6.2f} s to open, {of_open:5.1f} MiB    first 16 turns {first:6.3f} s, "
        f"then {rest * 1000:6.2f} ms each    {grown:5.1f} MiB after {TURNS} turns",
        flush=True,
    )


@entry_point
def main() -> None:
    print(f"one rank of {RANKS}, {BATCH // RANKS} images of {BATCH} a turn")
    for count, shards in SIZES.items():
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "data"
            write_sparse(root, FACTS, count, shards)
            process = multiprocessing.get_context("spawn").Process(target=measure, args=(root,))
            process.start()
            process.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
