"""The network between workers: which interface they use, and the proof that they reach each other by it.

Gloo and NCCL choose an interface by the host's name or by the order that the kernel lists them in, and wait half an
hour for a peer that cannot be reached. So ranks are told which one to use, and try it out first.
"""

import contextlib
import os
import secrets
import socket
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil

from ganflow.cluster.session.raylets import own_addresses
from ganflow.errors import GanflowError

CONNECT_S = 20.0
CALLERS = 32  # connections that a rank opens at a time
BACKLOG = 1024
VARIABLES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")
LOOPBACK = "lo"


class UnreachableError(GanflowError):
    """Ranks that do not reach each other: a wrong network or a closed port, or a node that has just gone."""


@dataclass(frozen=True)
class RankAddress:
    """The address where a rank listens, and the token that tells its answer from a stranger's."""

    rank: int
    interface: str
    addresses: tuple[str, ...]  # the interface's; then Ray's, by which the group meets, if that is another
    port: int
    token: bytes


def choose(asked: str, node_ip: str) -> str:
    """The interface to use on this node, which Gloo and NCCL are told unless the environment told them already.

    Args:
        asked: ``cluster.interface``: a name, or auto for the one that holds ``node_ip``.
        node_ip: the address by which Ray reaches this node.

    Raises:
        GanflowError: no such interface on this node.
    """
    names = psutil.net_if_addrs()
    name = _holder(node_ip) if asked == "auto" else asked
    if name is None or name not in names:
        what = f"no interface holds {node_ip}" if asked == "auto" else "no such interface"
        raise GanflowError(
            f"cluster.interface={asked}: {what} on node {node_ip}, which has {', '.join(sorted(names))}; name one that "
            f"every node has, or set {VARIABLES[0]} and {VARIABLES[1]} where the node is started"
        )
    for variable in VARIABLES:
        os.environ.setdefault(variable, name)
    return name


def _holder(ip: str) -> str | None:
    if ip.startswith("127."):
        return LOOPBACK  # all of 127/8 is there, though only 127.0.0.1 is listed
    return own_addresses().get(ip)


def in_use(chosen: str, gpu: bool) -> str:
    """The interface that the group will really use: the environment's, if it names one of this node's."""
    named = os.environ.get(VARIABLES[1 if gpu else 0], "").removeprefix("=")
    return named if named in psutil.net_if_addrs() else chosen  # NCCL's may be a pattern


def address_on(interface: str, node_ip: str) -> str:
    """The address by which others reach this node through an interface.

    Raises:
        GanflowError: the interface has none.
    """
    if _holder(node_ip) == interface:
        return node_ip
    held = [ip for ip, name in own_addresses().items() if name == interface and not ip.startswith("fe80:")]
    if not held:
        raise GanflowError(f"cluster.interface={interface}: it has no address on node {node_ip}; is it up?")
    return min(held, key=lambda ip: ":" in ip)  # IPv4 first, as Gloo does


class Listener:
    """Tells everyone who connects who is there, until it is closed."""

    def __init__(self, rank: int, interface: str, addresses: Iterable[str]) -> None:
        self._socket = _server(set(addresses))
        port = self._socket.getsockname()[1]
        self.place = RankAddress(rank, interface, tuple(dict.fromkeys(addresses)), port, secrets.token_bytes(16))
        threading.Thread(target=self._answer, name="ganflow-listener", daemon=True).start()

    def _answer(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return  # closed
            with contextlib.suppress(OSError), caller:
                caller.sendall(self.place.token)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes accept
        self._socket.close()


def _server(addresses: set[str]) -> socket.socket:
    six = any(":" in address for address in addresses)
    family = socket.AF_INET6 if six else socket.AF_INET
    # One machine alone stays unseen; among several, peers come by the interface's address or by Ray's.
    host = "127.0.0.1" if addresses == {"127.0.0.1"} else ""
    return socket.create_server((host, 0), family=family, backlog=BACKLOG, dualstack_ipv6=six)


def call_all(mine: RankAddress, places: Sequence[RankAddress], seconds: float = CONNECT_S) -> str | None:
    """Connect to every other rank; the first that cannot be reached, in words, or None."""
    calls = [(other, address) for other in places if other.rank != mine.rank for address in other.addresses]
    with ThreadPoolExecutor(CALLERS) as pool:
        answers = pool.map(lambda call: _call(call[1], call[0], seconds), calls)
        for (other, address), failure in zip(calls, answers, strict=True):
            if failure is not None:
                pool.shutdown(wait=False, cancel_futures=True)
                this_rank = f"rank {mine.rank} ({mine.addresses[0]}, {mine.interface})"
                return (
                    f"{this_rank} cannot reach rank {other.rank} ({address}:{other.port}, {other.interface}): {failure}"
                )
    return None


def _call(address: str, place: RankAddress, seconds: float) -> str | None:
    try:
        with socket.create_connection((address, place.port), timeout=seconds) as line:
            answer = line.recv(len(place.token), socket.MSG_WAITALL)
    except TimeoutError:
        return f"timed out after {seconds:.0f} s"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None if answer == place.token else "another host answers there"


def unreachable(failures: Mapping[int, str]) -> UnreachableError:
    """The error about ranks that cannot reach others."""
    first = failures[min(failures)]
    more = f" (and {len(failures) - 1} more ranks cannot reach others)" if len(failures) > 1 else ""
    return UnreachableError(
        f"{first}{more}; set cluster.interface to a network that all nodes share, or open the ports between them"
    )
