"""The speed at which ranks add up gradients: an all-reduce over one worker for each GPU, or each node without any."""

import contextlib
import socket
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ganflow.cluster.doctor.node_probe import Probe
from ganflow.cluster.workers.process_group import prepare
from ganflow.errors import GanflowError

SIZES = (2**16, 2**22, 2**26)  # bytes
REPEATS = 5
MEET_S = 60.0
MEASURE_S = 120.0


@dataclass(frozen=True)
class Bandwidth:
    """Figures of a group. ``speeds``: bytes that are reduced in a second, by the size of what is reduced."""

    backend: str
    workers: int
    interface: str
    speeds: dict[int, float]


class NodesBusyError(GanflowError):
    """The GPUs are in use: nothing is wrong, and nothing can be measured."""


class WorkerGroup:
    """Probes as a worker group of Ray Train's."""

    def __init__(self, actors: Sequence[Any]) -> None:
        self.actors = actors

    def __len__(self) -> int:
        return len(self.actors)

    def execute_single_async(self, rank: int, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.actors[rank].execute.remote(function, *arguments)

    def execute(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        calls = [self.execute_single_async(rank, function, *arguments) for rank in range(len(self))]
        answers: list[Any] = ray.get(calls, timeout=MEASURE_S)
        return answers


def measure(gpus: dict[str, int], interface: str) -> Bandwidth | None:
    """Measure between nodes.

    Args:
        gpus: how many each node has, by the node's id.
        interface: ``cluster.interface``.

    Returns:
        The figures, or None where one worker alone would be.

    Raises:
        NodesBusyError: not all GPUs are free.
        GanflowError: workers do not reach each other, or do not come to an end.
    """
    gpu = any(gpus.values())
    places = [node for node, count in gpus.items() for _ in range(count if gpu else 1)]
    if len(places) < 2:
        return None
    actors: list[Any] = [
        ray.remote(num_cpus=0, num_gpus=int(gpu))(Probe)
        .options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False))
        .remote()
        for node in places
    ]
    try:
        _, late = ray.wait([actor.clock.remote() for actor in actors], num_returns=len(actors), timeout=MEET_S)
        if late:
            raise NodesBusyError(f"{len(late)} of {len(actors)} workers got no place within {MEET_S:.0f} s")
        return _measured(WorkerGroup(actors), interface, gpu)
    except (GetTimeoutError, RayError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise GanflowError(f"the all-reduce did not finish ({type(error).__name__}: {reason})") from None
    finally:
        for actor in actors:
            ray.kill(actor)


def _measured(group: WorkerGroup, interface: str, gpu: bool) -> Bandwidth:
    places = prepare(group, interface, gpu=gpu)
    backend = "nccl" if gpu else "gloo"
    port = ray.get(group.execute_single_async(0, free_port))
    url = f"tcp://{places[0].addresses[-1]}:{port}"
    ranks = range(len(group))
    ray.get(
        [group.execute_single_async(rank, meet, url, rank, len(group), backend) for rank in ranks], timeout=MEASURE_S
    )
    speeds = {size: size / max(group.execute(time_all_reduce, size, gpu)) for size in SIZES}
    with contextlib.suppress(RayError):
        group.execute(leave)
    return Bandwidth(backend, len(group), places[0].interface, speeds)


def free_port() -> int:
    """Runs in a worker."""
    with socket.create_server(("", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def meet(url: str, rank: int, world: int, backend: str) -> None:
    """Runs in a worker: make the process group."""
    import torch.distributed as dist

    dist.init_process_group(backend, init_method=url, rank=rank, world_size=world, timeout=timedelta(seconds=MEET_S))


def time_all_reduce(size: int, gpu: bool) -> float:
    """Runs in a worker: the median of the seconds that reducing ``size`` bytes takes."""
    import torch
    import torch.distributed as dist

    tensor = torch.zeros(size // 4, device="cuda" if gpu else "cpu")
    taken = []
    for _ in range(REPEATS + 1):
        start = time.monotonic()
        dist.all_reduce(tensor)
        if gpu:
            torch.cuda.synchronize()
        taken.append(time.monotonic() - start)
    return statistics.median(taken[1:])  # the first one connects


def leave() -> None:
    """Runs in a worker."""
    import torch.distributed as dist

    dist.destroy_process_group()
