"""A process that loads what workers import, and forks the workers of its parent's node: what is loaded is loaded once.

Without it each worker imports torch and Ray Train for itself, seconds of CPU for each of them, after Ray has started.
The server loads them beside that. A worker's program (:mod:`.worker_entry`) asks it for a fork, by a name in Linux's
abstract namespace, and both answer to their own user only. It ends with its parent, in whatever way that ends.
"""

import contextlib
import gc
import importlib
import json
import logging
import os
import runpy
import secrets
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ganflow.cluster.session import ray_internals
from ganflow.cluster.session.cluster_address import is_own
from ganflow.cluster.session.worker_entry import FORK_SERVER, FORKED, asked_for, is_of_this_user

logger = logging.getLogger(__name__)

LIBRARIES = (
    "torch.distributed", "ganflow.training.build", "ganflow.evaluation.build", "ganflow.report.metrics_file",
    "pandas", "pyarrow.fs", "pydantic", "requests", "jsonschema", "msgpack", "fsspec.core", "rich.console", "tqdm",
    "google.protobuf.json_format", "psutil",
)  # fmt: skip
# Loaded as soon as there is a raylet: Ray reads once, as it is imported, whose the process is.
RAY = (
    "ray.train.v2._internal.execution.controller", "ray.train.torch", "ray.tune", "ganflow.cluster.jobs.ray_train",
    "ganflow.cluster.jobs.ray_evaluate", "ganflow.cluster.jobs.ray_tune",
)  # fmt: skip
RAYLET, JOB = "RAY_RAYLET_PID", "RAY_JOB_ID"
FIRST_JOB = "01000000"  # the only one of a node that ends with its driver
WAITING = 1024  # workers that may ask before it answers: all of a large machine's while it loads


@dataclass(frozen=True)
class ForkServer:
    """A server that was started, and what it says."""

    name: str
    process: "subprocess.Popen[bytes]"
    errors: IO[bytes]

    def load(self, raylet: int) -> None:
        """Let it load Ray for the workers of a raylet."""
        environment = {**os.environ, RAYLET: str(raylet), JOB: FIRST_JOB}
        with contextlib.suppress(ConnectionRefusedError), asked_for(self.name, None, environment):
            pass


_started: list[ForkServer] = []


def start(address: str | None) -> None:
    """Start a server beside this process, if its workers will run on a node of its own (:func:`served`).

    Args:
        address: ``cluster.address``.
    """
    if sys.platform != "linux" or not is_own(address):
        return
    name = f"ganflow-{secrets.token_hex(16)}"
    errors = tempfile.TemporaryFile()  # noqa: SIM115 (it is read when the server has ended)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{name}")
        listener.listen(WAITING)
        # It inherits the socket as stdin; of its stdout it learns that this process has ended.
        process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=listener.fileno(),
            stdout=subprocess.PIPE,
            stderr=errors,
            process_group=0,
        )
    _started.append(ForkServer(name, process, errors))


@contextlib.contextmanager
def served() -> Iterator[Callable[[int], None]]:
    """In the block, workers of a node that this process starts are forked, if a server was started.

    Gives what is to be called with the process id of the node's raylet.
    """
    if not _started:
        yield lambda raylet: None
        return
    server = _started[-1]
    os.environ[FORK_SERVER] = server.name
    try:
        yield server.load
    finally:
        os.environ.pop(FORK_SERVER, None)
    if server.process.poll() is not None:
        server.errors.seek(0)
        last = server.errors.read().decode(errors="replace").strip().rpartition("\n")[2]
        logger.warning(f"what workers share did not load ({last}); each loads it for itself, which takes longer")


def take_threads() -> None:
    """In a worker: let torch have as many threads as Ray says. It looks when it is loaded, a fork's was before that."""
    import torch

    if threads := os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(int(threads))


class Request:
    """A worker that is asked for: its program with options, folder and environment, and its standard streams."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        _, self._streams, _, _ = socket.recv_fds(connection, 1, 3)
        with connection.makefile("rb") as lines:
            asked = json.loads(lines.readline())
        self.command: list[str] | None = asked["command"]  # None: no worker yet, only to load for it
        self.environment: dict[str, str] = asked["environment"]
        self._folder: str = asked["folder"]

    def close(self) -> None:
        """Leave the worker to a fork; without one, who asked is told by this that there is none."""
        self._connection.close()
        for stream in self._streams:
            os.close(stream)

    def run(self) -> None:
        """Become the worker; it ends with the process that asked for it."""
        self._connection.sendall(FORKED)
        os.setsid()
        for number, stream in enumerate(self._streams):
            os.dup2(stream, number)
            os.close(stream)
        assert self.command is not None
        os.chdir(self._folder)
        _take(self.environment)
        threading.Thread(target=self._end_with_asker, name="ganflow-worker-entry", daemon=True).start()
        sys.argv = self.command
        sys.path[0] = str(Path(sys.argv[0]).parent)
        runpy.run_path(sys.argv[0], run_name="__main__")

    def _end_with_asker(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.recv(1)
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Load, then fork for each that asks until the parent has ended; a fork goes on as the worker."""
    gc.disable()  # there is nothing to collect yet
    for name in LIBRARIES:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that no fork is left as a zombie
    served: tuple[str | None, ...] | None = None
    for request in _requests(socket.socket(fileno=os.dup(0))):
        whose = tuple(map(request.environment.get, (RAYLET, JOB)))
        if served is None:
            served = whose
            _load_ray(request.environment)
        if request.command and whose == served and os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            gc.enable()
            return request.run()
        request.close()
    os._exit(0)  # at once: a reader of the parent's output may wait for this, too


def _requests(listener: socket.socket) -> Iterator[Request]:
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(1, 0)  # an error: its reader, the parent, has ended
    while poll.poll() == [(listener.fileno(), select.POLLIN)]:
        connection, _ = listener.accept()
        if is_of_this_user(connection):
            yield Request(connection)
        else:
            connection.close()


def _load_ray(environment: dict[str, str]) -> None:
    _take(environment)
    with ray_internals.nothing_drawn():
        for name in RAY:
            importlib.import_module(name)
    gc.freeze()  # a fork that collects would copy what it shares


def _take(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


if __name__ == "__main__":
    main()
