"""Decoding on all cores: the jobs of ``prepare`` through Ray Data, in order."""

import logging
import pickle
from collections.abc import Iterator, Sequence

from ganflow.cluster.session.session import session
from ganflow.config.schema import ClusterConfig
from ganflow.data.prepare import DecodeJob, Mapper
from ganflow.data.source import Decoded
from ganflow.errors import GanflowError

JOBS_PER_TASK = 4  # about a thousand images: a task costs some 10 ms, and several tasks per core even the load out


def ray_map(cluster: ClusterConfig) -> Mapper:
    """A mapper that decodes on every core of this machine, for the images lie here, by a Ray of its own."""

    def mapper(jobs: Sequence[DecodeJob]) -> Iterator[Decoded]:
        with session(cluster, local=True):
            yield from _map(jobs)

    return mapper


def _map(jobs: Sequence[DecodeJob]) -> Iterator[Decoded]:
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


def _run(row: dict[str, bytes]) -> dict[str, bytes]:
    # A refusal travels as a value: raised, Ray would wrap it into a page of traceback.
    try:
        result: Decoded | GanflowError = pickle.loads(row["job"]).run()
    except GanflowError as error:
        result = error
    return {"result": pickle.dumps(result)}
