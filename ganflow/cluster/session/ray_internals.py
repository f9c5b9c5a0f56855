"""Private parts of Ray 2.60, one function each: the one file to look at when Ray's version moves.

``tests/cluster/session/test_ray_internals.py`` has a test of each, which says what moved.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

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


def cluster_metadata(client: Any) -> dict[str, Any]:
    """The versions that a head runs, by :func:`gcs_client`.

    Raises:
        AttributeError: it is still starting.
    """
    from ray._common.usage.usage_lib import get_cluster_metadata

    return get_cluster_metadata(client) or {}


def draining_nodes() -> set[str]:
    """Ids of the nodes that take no new work because they are about to leave."""
    import ray._private.state

    return set(ray._private.state.state.get_draining_nodes())


@contextmanager
def node_of_this_process() -> Iterator[None]:
    """In the block, ``ray.init`` starts a node that listens on 127.0.0.1, in a process group of its own.

    It would listen on all addresses; the loopback is what it takes on Windows and macOS, and its processes inherit it.
    A signal to this process's group (a terminal's, `timeout`'s, a queue's) would end Ray before the workers saved.
    """
    from ray._private import ray_constants, services

    with (
        patch.object(ray_constants, "ENABLE_RAY_CLUSTER", False),
        patch.object(services, "ConsolePopen", partial(subprocess.Popen, process_group=0)),
    ):
        yield


@contextmanager
def sigterm_is_ours() -> Iterator[None]:
    """In the block, ``ray.init`` sets no handler of SIGTERM: its own ends the process without a word."""
    from ray._private import utils

    with patch.object(utils, "set_sigterm_handler", lambda handler: None):
        yield
