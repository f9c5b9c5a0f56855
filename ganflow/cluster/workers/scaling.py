"""The number of workers of the next attempt, from the nodes that are alive, answer and stay."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypedDict

from ganflow.cluster.session import ray_internals
from ganflow.cluster.session.cluster_address import address_of
from ganflow.config.schema import ClusterConfig
from ganflow.distributed.batch_split import check_workers, worker_counts
from ganflow.errors import ConfigError, require

logger = logging.getLogger(__name__)

LOOK_S = 2.0
ANSWER_S = 10.0  # for a node to run a task of nothing
SAY_S = 60.0
NO_GPU = "Ray sees no GPU here; cluster.gpu=auto takes GPUs where there are any, false takes CPUs"


@dataclass(frozen=True)
class WorkerStarted:
    """A worker of the present worker group runs on this node."""

    node: str


class RayNode(TypedDict):
    """A node as ``ray.nodes`` tells of it, in part."""

    NodeID: str
    Alive: bool
    Resources: dict[str, float]


class PendingPlacements:
    """ScalingPolicy for workers that are not there yet, one placement group each.

    They tell an autoscaler what is wanted and hold what comes, and unlike its own requests they end with this driver,
    however it ends: nothing is paid for without being used.
    """

    def __init__(self, need: Callable[[], dict[str, float]]) -> None:
        self._need, self._groups = need, list[Any]()

    def want(self, count: int) -> None:
        """Ask for so many places."""
        from ray.util import placement_group

        while len(self._groups) < count:
            self._groups.append(placement_group([self._need()]))

    def held(self) -> int:
        """The number that is there by now."""
        return sum(group.wait(0) for group in self._groups)

    def release(self) -> None:
        """Leave them to others."""
        from ray.util import remove_placement_group

        groups, self._groups = self._groups, []
        for group in groups:
            with contextlib.suppress(Exception):  # the cluster may be gone
                remove_placement_group(group)


class ScalingPolicy:
    """Finds room for worker groups, one after the other.

    Args:
        cluster: its ``workers`` and what each needs.
        batch: the global batch, which the workers share; 0: they share none.
        microbatch: of which each gets a whole number; None: of single images.
    """

    def __init__(self, cluster: ClusterConfig, batch: int = 0, microbatch: int | None = None) -> None:
        self.cluster, self.named = cluster, address_of(cluster.address) is not None
        check_workers(batch, cluster.workers, microbatch)
        self._counts: list[int] | None = None if cluster.workers == "auto" else worker_counts(cluster.workers)
        self._shares = batch // (microbatch or 1)
        self._answer_assumed = True
        self._seats: list[str] = []  # the node of each worker that runs
        self._pending = PendingPlacements(self._need)

    def worker_started(self, started: WorkerStarted) -> None:
        """Know of a worker."""
        self._seats.append(started.node)

    def require_ping(self) -> None:
        """Let nodes prove that they live before the next worker group: Ray believes in a dead one for half a minute."""
        self._answer_assumed = False

    def acquire(self) -> tuple[int, bool]:
        """Return the number of workers of the next group, and True if each has a GPU; wait for a named cluster.

        Raises:
            ConfigError: the machine is too small, or the cluster for longer than ``cluster.patience_s``.
        """
        self._seats = []
        start = reported = time.monotonic()
        while True:
            nodes = self._nodes()
            gpu = self.gpu()
            room = sum(self._room(node, gpu) for node in nodes)
            counts = self._counts or self._auto(room, gpu)
            fitting = next((count for count in counts if count <= room), None)
            if fitting is not None:
                self._counts, self._answer_assumed = counts, True
                self._pending.release()
                return fitting, gpu
            late = time.monotonic() - start
            if not self.named or late > self.cluster.patience_s:
                self._refuse(counts, nodes, room, gpu)
            if late < LOOK_S or time.monotonic() - reported > SAY_S:
                reported = time.monotonic()
                logger.info(f"waiting for nodes: {counts[-1]} workers need room, there is for {room}")
            self._pending.want(counts[0])
            time.sleep(LOOK_S)

    @contextmanager
    def watched(self, workers: int, ask: Callable[[str], object]) -> Iterator[None]:
        """In the block ``ask`` is called when a node of the group is about to go, or there is room for more."""
        over = threading.Event()
        larger = [count for count in self._counts or () if count > workers] if self.named else []

        def watch() -> object:
            while not over.wait(LOOK_S):
                with contextlib.suppress(Exception):  # the GCS may be restarting
                    if leaving := ray_internals.draining_nodes() & set(self._seats):
                        return ask(f"node {min(leaving)[:12]} is going away")
                    if not larger or len(self._seats) < workers:
                        continue  # a reserve must not take the places of a group that is just starting
                    self._pending.want(larger[0] - workers)
                    room = workers + self._pending.held()
                    if grown := [count for count in larger if count <= room]:
                        return ask(f"there is room for {grown[0]} workers")
            return None

        thread = threading.Thread(target=watch, name="ganflow-scaling", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self._pending.release()

    def _auto(self, room: int, gpu: bool) -> list[int]:
        workers = max(1, room if gpu else min(2, room))
        while self._shares % workers:
            workers -= 1
        return [workers]

    def _refuse(self, counts: list[int], nodes: list[RayNode], room: int, gpu: bool) -> None:
        gpus, cpus = sum(map(_gpus, nodes)), int(sum(n["Resources"].get("CPU", 0) for n in nodes))
        require(not gpu or gpus > 0, "cluster.gpu", self.cluster.gpu, NO_GPU)
        has = f"{gpus} GPUs" if gpu else f"{cpus} CPUs for {self.cluster.cpus_per_worker} each"
        require(counts[-1] <= room, "cluster.workers", self.cluster.workers, f"the cluster has {has}; at most {room}")
        raise ConfigError("cluster.workers", self.cluster.workers, f"the cluster has {has}")

    def gpu(self) -> bool:
        """True if a worker gets a GPU.

        Raises:
            ConfigError: it must, and this machine, to which no node will come, has none.
        """
        wanted, present = self.cluster.gpu, any(map(_gpus, self._alive()))
        require(wanted is not True or present or self.named, "cluster.gpu", wanted, NO_GPU)
        return present if wanted == "auto" else bool(wanted)

    def _need(self) -> dict[str, float]:
        return {"CPU": float(self.cluster.cpus_per_worker)} | ({"GPU": 1.0} if self.gpu() else {})

    def _room(self, node: RayNode, gpu: bool) -> int:
        cpus = int(node["Resources"].get("CPU", 0)) // self.cluster.cpus_per_worker
        return min(cpus, _gpus(node)) if gpu else cpus

    def _nodes(self) -> list[RayNode]:
        nodes = self._alive()
        return nodes if self._answer_assumed else _answering(nodes)

    def _alive(self) -> list[RayNode]:
        import ray

        leaving = ray_internals.draining_nodes()
        return [n for n in ray.nodes() if n["Alive"] and n["NodeID"] not in leaving]  # type: ignore[no-untyped-call]


def _gpus(node: RayNode) -> int:
    return int(node["Resources"].get("GPU", 0))


def _answering(nodes: list[RayNode]) -> list[RayNode]:
    """Those that run a task of nothing within seconds."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    task = ray.remote(num_cpus=0, max_retries=0)(_nothing)
    asked = {
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(): node
        for node in nodes
    }
    done, late = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_S)
    for reference in late:
        ray.cancel(reference, force=True)
    answering = []
    for reference in done:
        with contextlib.suppress(Exception):
            ray.get(reference)
            answering.append(asked[reference])
    return answering


def _nothing() -> None:
    pass
