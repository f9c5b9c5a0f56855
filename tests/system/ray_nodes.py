"""A Ray cluster over hosts: one node on each, as `ray start` makes it on real machines."""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from ganflow.cluster.session.cluster_address import Address, alive_nodes
from ganflow.errors import GanflowError
from tests.system.hosts import Host
from tests.system.process import wait_until

PORT = 6379
RAY = str(Path(sys.executable).parent / "ray")
MEMORY = "100000000"  # bytes of a node's object store
SETTINGS = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}


class RayNodes:
    """A cluster whose head is the first host.

    Args:
        hosts: which to use.
        cpus: of each node.
        env: of every node's processes.
    """

    def __init__(self, hosts: Sequence[Host], cpus: Sequence[int], **env: str) -> None:
        self.hosts, self.cpus, self.env = list(hosts), list(cpus), SETTINGS | env
        self.head = self.hosts[0]
        self.address = f"{self.head.address}:{PORT}"
        self._nodes: dict[str, subprocess.Popen[str]] = {}

    def start(self) -> None:
        """Start all nodes and wait until each knows of the others."""
        self.start_node(self.head)
        wait_until(lambda: self.head.reaches(self.head, PORT), "the head answers")
        for host in self.hosts[1:]:
            self.start_node(host)
        wait_until(lambda: len(self.alive()) == len(self.hosts), "all nodes are there")

    def start_node(self, host: Host) -> None:
        """Start one host's node; it need not answer when this returns."""
        role = ["--head", f"--port={PORT}", "--include-dashboard=false"]
        if host is not self.head:
            role = [f"--address={self.address}"]
        cpus = self.cpus[self.hosts.index(host)]
        size = [f"--num-cpus={cpus}", f"--object-store-memory={MEMORY}"]
        command = [RAY, "start", *role, f"--node-ip-address={host.address}", *size, "--block"]
        self._nodes[host.name] = host.start(*command, log=host.folder / "ray.log", **self.env)

    def stop(self) -> None:
        """End every process of every node, by its pid."""
        for host in self.hosts:
            for process in host.processes():
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            self.wait_for_end(host)

    def supervise(self) -> None:
        """Start the node again where it has ended and the host is on, as an init system or a cloud does."""
        for host in self.hosts:
            node = self._nodes.get(host.name)
            if host.on and node is not None and node.poll() is not None:
                self.start_node(host)

    def wait_for_end(self, host: Host) -> None:
        """Wait until a host's `ray start` has ended."""
        node = self._nodes.pop(host.name, None)
        if node is not None:
            node.wait(60)

    def running(self) -> bool:
        """Whether every host's `ray start` still runs."""
        return all(host.name in self._nodes and self._nodes[host.name].poll() is None for host in self.hosts)

    def alive(self) -> list[str]:
        """Addresses of the nodes of these hosts that the head believes alive."""
        known = {node.node_manager_address for node in self._known().values()}
        return [host.address for host in self.hosts if host.address in known]

    def id_of(self, host: Host) -> str:
        """The id of a host's node, in hex."""
        (node,) = [id for id, node in self._known().items() if node.node_manager_address == host.address]
        return node

    def _known(self) -> dict[str, Any]:
        """The nodes that the head believes alive, by their id; none while it does not answer."""
        try:
            return alive_nodes(Address("tests", self.address))
        except GanflowError:
            return {}
