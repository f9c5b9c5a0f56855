"""A cluster's directory of nodes (Ray's GCS), asked before a driver connects: who is there, and does it let us in."""

import os
import queue
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ganflow.cluster.session import ray_internals
from ganflow.cluster.session.raylets import split_address
from ganflow.errors import GanflowError

T = TypeVar("T")

CONTACT_S = 10.0  # a busy head is slow to answer; Ray's own clients wait 40 s
ADDRESS_VARIABLE = "RAY_ADDRESS"
LOCAL = "local"


@dataclass(frozen=True)
class Address:
    """A cluster's address and the key that it came from."""

    key: str
    value: str

    def refused(self, reason: str) -> GanflowError:
        return GanflowError(f"{self.key}={self.value}: {reason}")


def address_of(configured: str | None) -> Address | None:
    """The cluster that is named; RAY_ADDRESS wins. None: none is named, or ``local``.

    Raises:
        GanflowError: an address of another form than ``host:port``, or ``auto`` with no cluster on this machine.
    """
    address = _named(configured)
    if address.value == LOCAL:
        return None
    if address.value == "auto":
        return Address(address.key, _running(address))
    if "://" in address.value:
        raise address.refused("Ray Client is not used; name the head's host:port, as in 10.0.0.1:6379, without ray://")
    if split_address(address.value) is None:
        raise address.refused("must be host:port of the head, as in 10.0.0.1:6379, auto or local")
    return address


def is_own(configured: str | None) -> bool:
    """True if :func:`address_of` is None, which needs neither Ray nor an answer."""
    return _named(configured).value == LOCAL


def _named(configured: str | None) -> Address:
    variable = os.environ.get(ADDRESS_VARIABLE)
    return Address(ADDRESS_VARIABLE, variable) if variable else Address("cluster.address", configured or LOCAL)


def _running(address: Address) -> str:
    try:
        return ray_internals.address_of_this_machine()
    except ConnectionError:
        raise address.refused("no Ray cluster runs on this machine; name the head's host:port") from None


def alive_nodes(address: Address) -> dict[str, Any]:
    """The cluster's living nodes by their id in hex, after its versions were found to be ours.

    Raises:
        GanflowError: no answer within seconds, Ray or Python differ, or authentication is refused.
    """
    nodes = _answer(address, lambda client: client.get_all_node_info(timeout=CONTACT_S)).values()
    return {node.node_id.hex(): node for node in nodes if node.state == ray_internals.NODE_ALIVE}


def drain(address: Address, node_id: str, message: str, left_s: float) -> None:
    """Tell a cluster that a node leaves in so many seconds: it gets no new work, and what runs there is told.

    Raises:
        GanflowError: as :func:`alive_nodes`, or the head does not take it.
    """
    refusal = _answer(address, lambda client: ray_internals.drain(client, node_id, message, left_s))
    if refusal:
        raise address.refused(f"its head does not drain node {node_id[:12]} ({refusal})")


def _answer(address: Address, call: Callable[[Any], T]) -> T:
    from ray.exceptions import AuthenticationError, RayError

    _knock(address)
    try:
        return _within(2 * CONTACT_S, lambda: call(_client(address)))
    except AuthenticationError:
        raise address.refused(
            "the cluster wants its own token; set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH to a file that holds it"
        ) from None
    except (TimeoutError, RayError):
        raise address.refused(
            "the server at this address is not a Ray head (GCS); is the port the head's --port?"
        ) from None


def _knock(address: Address) -> None:
    """Refuse an address where nothing listens: a plain connection is quick to say no."""
    host_port = split_address(address.value)
    assert host_port is not None
    try:
        socket.create_connection(host_port, timeout=CONTACT_S).close()
    except TimeoutError:
        raise address.refused(f"no answer within {CONTACT_S:.0f} s; is {host_port[1]} open from here?") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise address.refused(f"no Ray cluster there ({reason}); start its head, or unset it for a local one") from None


def _client(address: Address) -> Any:
    client = ray_internals.gcs_client(address.value)
    try:
        versions = ray_internals.cluster_metadata(client)
    except AttributeError:
        raise address.refused("its head is still starting; try again in a few seconds") from None
    _check_versions(address, versions)
    return client


def _check_versions(address: Address, cluster: dict[str, object]) -> None:
    import platform

    import ray

    parts = 2 if os.environ.get("RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL") == "minor" else 3
    theirs, ours = str(cluster.get("python_version", "")), platform.python_version()
    same_python = theirs.split(".")[:parts] == ours.split(".")[:parts]
    if cluster and not (same_python and cluster.get("ray_version") == ray.__version__):
        raise address.refused(
            f"the cluster runs Ray {cluster.get('ray_version')} on Python {theirs}, this machine Ray {ray.__version__} "
            f"on Python {ours}; install the same versions"
        )


def _within(seconds: float, call: Callable[[], T]) -> T:
    """The call's result, or TimeoutError; it runs on in a thread then, for Ray's clients cannot be interrupted."""
    outcome: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue()

    def run() -> None:
        try:
            outcome.put((call(), None))
        except BaseException as error:
            outcome.put((None, error))

    threading.Thread(target=run, name="ganflow-directory", daemon=True).start()
    try:
        value, error = outcome.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return value  # type: ignore[return-value]
