"""A Ray node without CPUs and GPUs, for the time of a session: how a machine outside a cluster becomes its driver."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from ganflow.cluster.session.cluster_address import Address, alive_nodes
from ganflow.errors import GanflowError

START_S = 60.0
END_S = 10.0
OBJECT_STORE = 2**30  # bytes; what is decoded passes through here

# Ends when the process that holds the other end of its stdin ends, in whatever way: killed, or only its thread.
_BOUND_TO_PARENT = """
import atexit, os, shutil, signal, sys, threading

atexit.register(shutil.rmtree, sys.argv.pop(1), ignore_errors=True)

def end_with_parent():
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=end_with_parent, daemon=True).start()
from ganflow.cluster.session.ray_internals import quick_workers, raylet_awaited
from ray.scripts.scripts import main
with raylet_awaited(float(sys.argv.pop(1))), quick_workers():
    main()
"""
_ENVIRONMENT = {"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0"}  # nothing of others runs on it


@contextmanager
def guest(address: Address) -> Iterator[str]:
    """Join the cluster for the block; gives the node's own temp dir, by which Ray knows it.

    Raises:
        GanflowError: the node does not start, or the cluster does not see it.
    """
    folder = Path(tempfile.mkdtemp(prefix="gf-", dir="/tmp"))  # sockets lie below: their paths are short or fail
    log = folder / "start.log"
    process = _start(address, folder, log)
    try:
        _wait(address, process, folder, log)
        yield str(folder)
    finally:
        _end(process)
        shutil.rmtree(folder, ignore_errors=True)


def _start(address: Address, folder: Path, log: Path) -> subprocess.Popen[bytes]:
    store = min(OBJECT_STORE, psutil.virtual_memory().available // 4)
    options = [
        f"--address={address.value}", "--num-cpus=0", "--num-gpus=0", f"--object-store-memory={store}",
        f"--temp-dir={folder}", "--include-log-monitor=false", "--block",
    ]  # fmt: skip
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-c", _BOUND_TO_PARENT, str(folder), str(START_S), "start", *options],
            stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **_ENVIRONMENT},
            start_new_session=True,
        )  # fmt: skip


def _wait(address: Address, process: subprocess.Popen[bytes], folder: Path, log: Path) -> None:
    end = time.monotonic() + START_S
    while not any(node.temp_dir == str(folder) for node in alive_nodes(address).values()):
        if process.poll() is not None or time.monotonic() > end:
            raise _refused(address, log)
        time.sleep(0.2)


def _refused(address: Address, log: Path) -> GanflowError:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    reason = lines[-1] if lines else f"not within {START_S:.0f} s"
    return address.refused(
        f"this machine could not join the cluster ({reason}); the nodes must reach it by its address"
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()  # the kernel ends the raylet with it
        process.wait()
    assert process.stdin is not None
    process.stdin.close()
