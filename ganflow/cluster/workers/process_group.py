"""torch's process group among Ray's workers: met over a network that was tried out, with bounded patience."""

from dataclasses import dataclass
from typing import Any

import ray
from ray.train.backend import BackendConfig
from ray.train.torch import TorchConfig

from ganflow.cluster.session import ray_internals
from ganflow.cluster.workers.connectivity import (
    Listener,
    RankAddress,
    address_on,
    call_all,
    choose,
    in_use,
    unreachable,
)
from ganflow.config.schema import ClusterConfig
from ganflow.errors import GanflowError

# A rank may work alone for minutes while others wait in a collective: rank 0 measures, or trains an extractor.
COLLECTIVE_S = 900

_listeners: list[Listener] = []  # of this worker


@dataclass
class GroupConfig(TorchConfig):
    """Ray's, and which interface the group uses."""

    interface: str = "auto"

    @property
    def backend_cls(self) -> type["GroupBackend"]:
        return GroupBackend


def torch_config(cluster: ClusterConfig, gpu: bool) -> TorchConfig:
    """The process group of a worker group: NCCL where every worker has a GPU, else Gloo."""
    backend = "nccl" if gpu else "gloo"
    return GroupConfig(backend=backend, timeout_s=COLLECTIVE_S, interface=cluster.interface)


class GroupBackend(ray_internals.torch_backend()):  # type: ignore[misc]
    """Makes sure that ranks reach each other before they start to wait for each other."""

    def on_start(self, worker_group: Any, backend_config: BackendConfig) -> None:
        assert isinstance(backend_config, GroupConfig)
        prepare(worker_group, backend_config.interface, gpu=backend_config.backend == "nccl")
        super().on_start(worker_group, backend_config)


def prepare(worker_group: Any, interface: str, *, gpu: bool) -> list[RankAddress]:
    """Choose every rank's interface, and let every rank call every other; where they are.

    Raises:
        UnreachableError: a rank cannot reach another.
        GanflowError: a node has no such interface.
    """
    ranks = range(len(worker_group))
    listening = [worker_group.execute_single_async(rank, listen, rank, interface, gpu) for rank in ranks]
    try:
        places: list[RankAddress] = []
        for answer in ray.get(listening):
            if isinstance(answer, GanflowError):
                raise answer
            places.append(answer)
        calls = [worker_group.execute_single_async(rank, call_all, places[rank], places) for rank in ranks]
        failures = {rank: failure for rank, failure in enumerate(ray.get(calls)) if failure is not None}
        if failures:
            raise unreachable(failures)
        return places
    finally:
        worker_group.execute(close)


def listen(rank: int, interface: str, gpu: bool) -> RankAddress | GanflowError:
    """Runs in a worker: choose the interface and wait for calls. A refusal is a value: raised, Ray would wrap it."""
    node_ip = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    try:
        used = in_use(choose(interface, node_ip), gpu)
        _listeners.append(Listener(rank, used, (address_on(used, node_ip), node_ip)))
    except GanflowError as error:
        return error
    return _listeners[-1].place


def close() -> None:
    """Runs in a worker."""
    while _listeners:
        _listeners.pop().close()


def reason_of(error: BaseException | None) -> GanflowError | None:
    """The refusal that an exception of Ray Train's wraps, if there is one.

    An error of a group's start reaches the driver as ``ControllerError.controller_failure`` (Ray tries no second time),
    what a worker raises as ``WorkerGroupError.worker_failures``.
    """
    visited: set[int] = set()
    waiting = [error]
    while waiting:
        cause = waiting.pop(0)
        if cause is None or id(cause) in visited:
            continue
        visited.add(id(cause))
        if isinstance(cause, GanflowError):
            return cause
        within = [getattr(cause, name, None) for name in ("controller_failure", "cause", "_base_exc", "__cause__")]
        waiting += [
            *(w for w in within if isinstance(w, BaseException)),
            *getattr(cause, "worker_failures", {}).values(),
        ]
    return None
