"""Decoding on a cluster: the jobs of ``prepare`` through Ray Data, in order."""

import logging
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ganflow.data.prepare import Job, Mapper
from ganflow.data.source import Decoded
from ganflow.errors import GanflowError

JOBS_PER_TASK = 4  # about a thousand images: a task costs some 10 ms, and several tasks per core even the load out


def ray_map(address: str | None = None) -> Mapper:
    """A mapper that decodes on every core of a Ray cluster.

    Args:
        address: of a running cluster; none: a local one for as long as the mapping takes. RAY_ADDRESS wins.
    """

    def mapper(jobs: Sequence[Job]) -> Iterator[Decoded]:
        with _running(address):
            yield from _map(jobs)

    return mapper


def _map(jobs: Sequence[Job]) -> Iterator[Decoded]:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # its plans and bars; ours is the one bar
    rows = [{"job": pickle.dumps(job)} for job in jobs]
    dataset = ray.data.from_items(rows, override_num_blocks=-(-len(rows) // JOBS_PER_TASK)).map(_run)
    for row in dataset.iter_rows():
        result = pickle.loads(row["result"])
        if isinstance(result, GanflowError):
            raise result
        yield result


def _run(row: dict[str, Any]) -> dict[str, Any]:
    # A refusal travels as a value: raised, Ray would wrap it into a page of traceback.
    try:
        result: Decoded | GanflowError = pickle.loads(row["job"]).run()
    except GanflowError as error:
        result = error
    return {"result": pickle.dumps(result)}


@contextmanager
def _running(address: str | None) -> Iterator[None]:
    import ray

    if ray.is_initialized():
        yield
        return
    _start(ray.init, address)
    try:
        yield
    finally:
        ray.shutdown()


def _start(init: Callable[..., Any], address: str | None) -> None:
    try:
        init(address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.WARNING)
    except ConnectionError as error:
        reason = " ".join(str(error).split())
        raise GanflowError(f"cluster.address={address}: no Ray cluster answers there: {reason}") from None
