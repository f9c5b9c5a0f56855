"""A connection to Ray: the cluster that is named, else one of this process's own."""

import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from ganflow.cluster.session import ray_internals
from ganflow.cluster.session.cluster_address import Address, address_of, alive_nodes
from ganflow.cluster.session.driver_node import guest
from ganflow.cluster.session.fork_server import served
from ganflow.cluster.session.ray_environment import set_environment
from ganflow.cluster.session.raylets import local_nodes
from ganflow.cluster.session.runtime_env import runtime_env
from ganflow.config.schema import ClusterConfig
from ganflow.errors import GanflowError
from ganflow.terminal.interrupts import stopped
from ganflow.terminal.progress import doing

# Ray wants a place for its own files; ours are elsewhere, and nothing here is needed later. A user's own: others could
# not write there.
RAY_FILES = Path(tempfile.gettempdir(), f"ganflow-ray-{os.getuid()}")


@contextmanager
def session(cluster: ClusterConfig, meanwhile: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Connect to Ray for the block, and shut down only what was started here.

    The cluster's workers import the code of this checkout, and find the storage where this process does
    (:mod:`ganflow.cluster.session.runtime_env`).

    Args:
        cluster: which one is named, if any.
        meanwhile: called while a node of this process's own starts, which is waited for.

    Raises:
        GanflowError: the address is not valid, nothing answers there, versions differ, or authentication is refused.
    """
    set_environment()
    os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", str(cluster.start_timeout_s))
    import ray

    if ray.is_initialized():
        yield
        return
    address = address_of(cluster.address)
    with _connected(address) if address else _own(cluster.start_timeout_s, meanwhile):
        yield


@contextmanager
def _own(timeout_s: float, meanwhile: Callable[[], object]) -> Iterator[None]:
    """A cluster of this process's own, which no other machine sees: who reaches Ray's ports can run code there."""
    import ray

    with served() as load, ray_internals.node_of_this_process(timeout_s, load, meanwhile), doing("Ray starts"):
        try:
            _init(address="local", include_dashboard=False, _node_ip_address="127.0.0.1")
        except Exception as error:  # what Ray raises has no common base
            ray.shutdown()
            raise _not_started(error) from None
    try:
        yield
    finally:
        _disconnect()


def _disconnect() -> None:
    """Shut down, unless the process was stopped: a thread that still asks Ray would then end it with status 1.

    What was started here ends with this process all the same (:func:`ganflow.terminal.interrupts.leave`).
    """
    import ray

    if not stopped():
        ray.shutdown()


def _not_started(error: Exception) -> GanflowError:
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    logs = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir(), "ray/session_latest/logs")
    busy, disk = "a busy machine may need more cluster.start_timeout_s", "a full or read-only disk another RAY_TMPDIR"
    hint = f"{logs} says more; {busy}, {disk}"
    return GanflowError(f"Ray does not start on this machine: {reason.partition('. ')[0].rstrip('.')}; {hint}")


@contextmanager
def _connected(address: Address) -> Iterator[None]:
    """A driver's connection, by a node of the cluster that runs here, else by one that joins for this session."""
    import ray
    from ray.exceptions import RayError

    local = {node.node_id: node for node in local_nodes()}
    alive = alive_nodes(address)
    node = next((local[name] for name in sorted(local, key=lambda n: not _is_head(alive, n)) if name in alive), None)
    with nullcontext(node.temp_dir) if node else guest(address) as temp_dir:
        try:
            _init(
                address=address.value, _temp_dir=temp_dir, _node_ip_address=node.ip if node else None,
                runtime_env=runtime_env(),
            )  # fmt: skip
        except (ConnectionError, TimeoutError, ValueError, RuntimeError, RayError) as error:
            ray.shutdown()
            raise address.refused(f"no connection to the cluster ({str(error).splitlines()[0]})") from None
        try:
            yield
        finally:
            _disconnect()


def _is_head(nodes: dict[str, Any], node_id: str) -> bool:
    return node_id in nodes and bool(nodes[node_id].is_head_node)


def _init(**options: Any) -> None:
    import ray

    with ray_internals.sigterm_is_ours():
        ray.init(namespace="ganflow", log_to_driver=False, logging_level=logging.ERROR, **options)
