"""The Ray nodes of this machine, read off the process table: no connection, no ``import ray``."""

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class LocalNode:
    """A raylet that runs here. ``pid``: None, if it runs out of sight, in another container of this pod."""

    pid: int | None
    node_id: str  # hex
    ip: str  # by which other nodes reach it
    gcs: str  # host:port of its cluster's directory
    temp_dir: str


def local_nodes() -> list[LocalNode]:
    """Every raylet whose address is this machine's own; a container's or a network namespace's next door is not."""
    parsed = [_parse(process.pid, process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    return [node for node in parsed if node is not None and is_own(node.ip)]


def is_own(ip: str) -> bool:
    """True if an address is this machine's."""
    return ip in own_addresses() or ipaddress.ip_address(ip).is_loopback


def own_addresses() -> dict[str, str]:
    """IP address → interface, of this machine (this network namespace)."""
    families = (socket.AF_INET, socket.AF_INET6)
    return {
        address.address.partition("%")[0]: name
        for name, addresses in psutil.net_if_addrs().items()
        for address in addresses
        if address.family in families
    }


def split_address(address: str) -> tuple[str, int] | None:
    """Host and port of ``host:port`` or ``[v6]:port``; None if it has another form."""
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65536:
        return None
    return host.strip("[]"), int(port)


def _parse(pid: int, command: Sequence[str]) -> LocalNode | None:
    if not command or command[0].rpartition("/")[2] != "raylet":
        return None
    options = dict(
        part.removeprefix("--").split("=", 1) for part in command[1:] if part.startswith("--") and "=" in part
    )
    try:
        return LocalNode(
            pid, options["node_id"], options["node_ip_address"], options["gcs-address"], options["temp_dir"]
        )
    except KeyError:
        return None  # another program of that name
