"""The split of a batch: among workers, and in the parts that each takes one after the other."""

from typing import Any

from ganflow.errors import require


def check_workers(batch: int, workers: Any, microbatch: int | None = None) -> None:
    """Refuse a number of workers that the global batch cannot be shared among; ``auto`` passes."""
    if workers == "auto":
        return
    counts = workers if isinstance(workers, list) else [workers]
    sound = all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in counts)
    sound = sound and (len(counts) == 1 or (len(counts) == 2 and counts[0] <= counts[1]))
    require(sound, "cluster.workers", workers, "auto, a number of at least 1, or [least, most]")
    of = "the most of " if len(counts) == 2 else ""
    of = f"training.microbatch={microbatch} times {of}" if microbatch else of
    shared = batch % ((microbatch or 1) * counts[-1]) == 0
    require(shared, "training.batch", batch, f"must be a multiple of {of}cluster.workers={workers}")


def worker_counts(workers: int | list[int]) -> list[int]:
    """The numbers of workers that training may have, most first: those that can share the parts of a batch equally."""
    least, most = (workers, workers) if isinstance(workers, int) else workers
    return [n for n in range(most, least - 1, -1) if most % n == 0]


def num_microbatches(batch: int, microbatch: int | None, workers: object) -> int:
    """The number of parts that a batch is cut into; 0: as many as there are workers.

    Args:
        batch, microbatch: ``training.batch``, ``training.microbatch``.
        workers: ``cluster.workers``.
    """
    if microbatch is not None:
        return batch // microbatch
    return worker_counts(workers)[0] if isinstance(workers, list) else 0
