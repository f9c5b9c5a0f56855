"""The Fréchet distance of 2048-d statistics against scipy's matrix root, and the time of `prdc`.

Both ways to the distance run in turn, in one process; the figure is the ratio of their medians.

    python benchmarks/metrics.py
"""

import resource
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.linalg import sqrtm

from ganflow.evaluation.metrics.features import Features
from ganflow.evaluation.metrics.fid import frechet_distance, moments
from ganflow.evaluation.metrics.precision_recall import PRDC
from ganflow.terminal.console import entry_point

WIDTH, ROUNDS = 2048, 3


def timed(action: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def by_matrix_root(mean1: torch.Tensor, cov1: torch.Tensor, mean2: torch.Tensor, cov2: torch.Tensor) -> float:
    root = sqrtm((cov1 @ cov2).numpy())
    return float((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * np.trace(np.real(root)))


@entry_point
def main() -> None:
    draw = torch.Generator().manual_seed(0)
    fake, real = (Features(torch.randn(10_000, 64, generator=draw), torch.empty(10_000, 0)) for _ in range(2))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, _ = timed(lambda: PRDC()(fake, real))
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    print(f"precision and recall of 10,000 × 10,000 × 64: {seconds:.2f} s, peak memory {more:.2f} GiB above the rest's")
    first, second = (moments(torch.randn(2 * WIDTH, WIDTH, generator=draw) + shift) for shift in (0.0, 0.1))
    ours, theirs = [], []
    for _ in range(ROUNDS):
        seconds, distance = timed(lambda: frechet_distance(*first, *second))
        their_seconds, their_distance = timed(lambda: by_matrix_root(*first, *second))
        ours.append(seconds)
        theirs.append(their_seconds)
    of_ours, of_theirs = statistics.median(ours), statistics.median(theirs)
    print(f"Fréchet distance {distance:.6f} in {of_ours:.2f} s, by scipy {their_distance:.6f} in {of_theirs:.2f} s")
    print(f"{of_theirs / of_ours:.1f} times as fast")


if __name__ == "__main__":
    main(*sys.argv[1:])
