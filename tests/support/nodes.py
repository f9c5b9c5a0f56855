"""Ray nodes on this machine, each with a loopback address of its own and none of the tests' environment."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ganflow.cluster.session.cluster_address import Address, alive_nodes
from tests.support.ports import free_port
from tests.support.preloaded import folder_of_the_server
from tests.support.project import DEADLINE_S, wait_until

RAY = Path(__file__).with_name("ray_cli.py")
SETTINGS = {
    "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
}  # fmt: skip
STORE = 80 * 2**20


class Nodes:
    """A cluster: its head is at 127.0.0.2, the next node at 127.0.0.3, and so on.

    Args:
        forked: whether workers are forked (:mod:`tests.support.preloaded`); forks are no children of their raylet.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str], forked: bool = True) -> None:
        self.python = f"{folder_of_the_server()}/python" if forked else sys.executable
        self.port = free_port("127.0.0.2")
        self.address = f"127.0.0.2:{self.port}"
        self.folder = folder
        self.settings = settings
        self.processes: list[subprocess.Popen[bytes]] = []

    def add(self, cpus: int, gpus: int = 0) -> str:
        """Start a node; its address."""
        index = len(self.processes)
        ip = f"127.0.0.{index + 2}"
        place = ["--head", f"--port={self.port}", "--include-dashboard=false"] if index == 0 else [
            f"--address={self.address}"
        ]  # fmt: skip
        command = [
            sys.executable, "-P", str(RAY), str(DEADLINE_S), self.python, "start", *place,
            f"--node-ip-address={ip}", f"--num-cpus={cpus}", f"--num-gpus={gpus}", f"--object-store-memory={STORE}",
            f"--temp-dir={self.folder / str(index)}", "--include-log-monitor=false", "--block",
        ]  # fmt: skip
        env = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "PYTHONPATH"))}
        with (self.folder / f"{index}.log").open("wb") as log:
            self.processes.append(subprocess.Popen(
                command, env=env | SETTINGS | dict(self.settings), stdout=log, stderr=log, cwd="/",
                start_new_session=True,
            ))  # fmt: skip
        wait_until(lambda: self.processes[-1].poll() is not None or "runtime started" in self.log(index), "a node")
        assert self.processes[-1].poll() is None, self.log(index)
        return ip

    def log(self, index: int) -> str:
        return (self.folder / f"{index}.log").read_text()

    def alive(self) -> int:
        return len(alive_nodes(Address("test", self.address)))

    def end(self) -> None:
        for process in reversed(self.processes):
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 20
        for process in self.processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            process.kill()
            process.wait()


@contextmanager
def nodes(*cpus: int, forked: bool = True, **settings: str) -> Iterator[Nodes]:
    """A cluster of nodes with so many CPUs each; ``settings`` are variables of their environment."""
    folder = Path(tempfile.mkdtemp(prefix="gfn-", dir="/tmp"))  # sockets lie below: long paths fail
    cluster = Nodes(folder, settings, forked)
    try:
        for count in cpus:
            cluster.add(count)
        yield cluster
    finally:
        cluster.end()
        shutil.rmtree(folder, ignore_errors=True)
