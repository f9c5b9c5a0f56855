"""Compare the latency of two generators, timed in turns so that background load affects both equally."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor

from ganflow.methods.generator import Generator

BATCH = 64  # images
PAIRS = 31
WARM_UP = 3
SEED = 0


@dataclass(frozen=True)
class Latency:
    """Medians over batches, in milliseconds, and the median of the pairs' ratios."""

    a_ms: float
    b_ms: float
    ratio: float  # A's time over B's


def latency(a: Generator, b: Generator, pairs: int = PAIRS) -> Latency:
    """Time both by turns; who begins a pair alternates, so that neither always finds the caches warm."""
    sides = batch_of(a), batch_of(b)
    for side in sides * WARM_UP:
        side()
    times: list[tuple[float, float]] = []
    for i in range(pairs):
        first = i % 2
        took = {first: _seconds(sides[first]), 1 - first: _seconds(sides[1 - first])}
        times.append((took[0], took[1]))
    a_ms, b_ms = (1000 * statistics.median(side) for side in zip(*times, strict=True))
    return Latency(a_ms, b_ms, statistics.median(a / b for a, b in times))


def alone(a: Generator, batches: int = PAIRS) -> float:
    """The median time of a batch in milliseconds."""
    batch = batch_of(a)
    for _ in range(WARM_UP):
        batch()
    return 1000 * statistics.median(_seconds(batch) for _ in range(batches))


def batch_of(generator: Generator) -> Callable[[], Tensor]:
    """A call that makes a batch from latents that are there already, and returns when it is made."""
    device, spec = generator.device, generator.spec
    z = generator.latents(SEED, 0, BATCH).to(device)
    blank = None if spec.given_shape is None else torch.zeros(BATCH, *spec.given_shape)
    others = generator.labels(0, BATCH, None), generator.noise(SEED, 0, BATCH), blank
    labels, noise, given = (None if each is None else each.to(device) for each in others)

    def make() -> Tensor:
        made = generator.draw(z, labels, noise=noise, given=given)
        if made.is_cuda:
            torch.cuda.synchronize(device)
        return made

    return make


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start
