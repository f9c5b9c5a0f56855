"""Private parts of Ray 2.60, one function each: the one file to look at when Ray's version moves.

``tests/cluster/session/test_ray_internals.py`` has a test of each, which says what moved.
"""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Any
from unittest.mock import patch

import psutil

from ganflow.cluster.session import worker_entry

NODE_ALIVE = 0  # GcsNodeState of ray's protobuf


def torch_backend() -> Any:
    """The class that starts torch's process group in Ray Train's workers; a backend of one's own derives from it."""
    from ray.train.torch.config import _TorchBackend

    return _TorchBackend


def address_of_this_machine() -> str:
    """``host:port`` of the cluster that runs on this machine.

    Raises:
        ConnectionError: there is none.
    """
    from ray._private.services import canonicalize_bootstrap_address_or_die

    return str(canonicalize_bootstrap_address_or_die("auto"))


def gcs_client(address: str) -> Any:
    """A client of a head's directory of nodes (the GCS), which needs no ``ray.init``."""
    from ray._raylet import GcsClient  # type: ignore[attr-defined]

    return GcsClient(address=address)


def cluster_metadata(client: Any) -> dict[str, object]:
    """The versions that a head runs, by :func:`gcs_client`.

    Raises:
        AttributeError: it is still starting.
    """
    from ray._common.usage.usage_lib import get_cluster_metadata

    return get_cluster_metadata(client) or {}


def drain(client: Any, node_id: str, message: str, left_s: float) -> str:
    """Tell a head, by :func:`gcs_client`, that a node leaves in so many seconds; why it does not take that, or ""."""
    from ray.core.generated.autoscaler_pb2 import DrainNodeReason  # type: ignore[attr-defined]

    reason, deadline_ms = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION"), int((time.time() + left_s) * 1000)
    accepted, refusal = client.drain_node(node_id, reason, message, deadline_ms)
    return "" if accepted else str(refusal)


def draining_nodes() -> set[str]:
    """Ids of the nodes that take no new work because they are about to leave."""
    import ray._private.state

    return set(ray._private.state.state.get_draining_nodes())


@contextmanager
def raylet_awaited(timeout_s: float) -> Iterator[None]:
    """In the block, a node that this process starts has so many seconds until its raylet answers.

    Ray itself gives it 30, however busy the machine, and waits as long for one that has ended.
    """
    from ray._private import services

    look: Callable[[str, str], object] = services.get_node
    end = time.monotonic() + timeout_s

    def get_node(gcs_address: str, node_id: str) -> object:
        client = gcs_client(gcs_address)
        while not any(registered.hex() == node_id for registered in client.get_all_node_info(timeout=timeout_s)):
            if time.monotonic() > end:
                raise TimeoutError(f"its raylet is not ready after {timeout_s:g} s")
            if not _raylet_runs():
                raise ChildProcessError("its raylet has ended")
            time.sleep(0.1)
        return look(gcs_address, node_id)

    with patch.object(services, "get_node", get_node):
        yield


def quick_workers() -> AbstractContextManager[object]:
    """In the block, a node that this process starts begins its workers with :mod:`.worker_entry`."""
    from ray._private import ray_constants

    return patch.object(ray_constants, "SETUP_WORKER_FILENAME", worker_entry.__file__)


@contextmanager
def node_of_this_process(timeout_s: float) -> Iterator[None]:
    """In the block, ``ray.init`` starts a node that listens on 127.0.0.1, in a process group of its own.

    It would listen on all addresses; the loopback is what it takes on Windows and macOS, and its processes inherit it.
    A signal to this process's group (a terminal's, `timeout`'s, a queue's) would end Ray before the workers saved.
    What only a dashboard, an autoscaler or forwarded logs need is not started: a third of the time that Ray takes.
    The raylet has ``timeout_s`` (:func:`raylet_awaited`).
    """
    from ray._private import ray_constants, services
    from ray._private.node import Node

    with (
        raylet_awaited(timeout_s),
        quick_workers(),
        patch.object(ray_constants, "ENABLE_RAY_CLUSTER", False),
        patch.object(services, "ConsolePopen", partial(subprocess.Popen, process_group=0)),
        patch.multiple(Node, start_api_server=_nothing, start_monitor=_nothing, start_log_monitor=_nothing),
    ):
        yield


def _nothing(node: object, **options: object) -> None:
    """In place of a method that starts a process."""


def _raylet_runs() -> bool:
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if child.name() == "raylet" and child.status() != psutil.STATUS_ZOMBIE:
                return True
    return False


@contextmanager
def sigterm_is_ours() -> Iterator[None]:
    """In the block, ``ray.init`` sets no handler of SIGTERM: its own ends the process without a word."""
    from ray._private import utils

    with patch.object(utils, "set_sigterm_handler", lambda handler: None):
        yield
