"""What starts a server binds it to 127.0.0.1 unless it is told otherwise."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from ganflow.cluster.workers.connectivity import Listener
from tests.infra.files import INFRA
from tests.support.ports import free_port
from tests.support.project import wait_until

pytestmark = pytest.mark.slow

OWN = "127.0.0.1"


def addresses(pid: int) -> set[str]:
    """Where a process and those below it listen."""
    top = psutil.Process(pid)
    found = [connection for process in (top, *top.children(recursive=True)) for connection in _listening(process)]
    return {connection.laddr.ip for connection in found}


def _listening(process: psutil.Process) -> list[Any]:
    try:
        return [c for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    except psutil.NoSuchProcess:
        return []


@contextmanager
def running(folder: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "RAY_"))}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, env=env, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_mlflow(tmp_path: Path) -> None:
    port = free_port()
    stores = ["--backend", f"sqlite:///{tmp_path}/mlflow.db", "--artifacts", str(tmp_path / "files")]

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://{OWN}:{port}/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    with running(tmp_path, str(INFRA / "mlflow" / "serve.sh"), *stores, "--port", str(port)) as server:
        wait_until(answers, "MLflow")
        assert addresses(server.pid) == {OWN}


RAY = """
from ganflow.cluster.session.session import session
from ganflow.config.schema import ClusterConfig
with session(ClusterConfig()):
    import ray

    def where():
        return ray.util.get_node_ip_address()

    print(ray.get(ray.remote(where).remote()), flush=True)
    input()
"""


def test_ray_s_own_session(tmp_path: Path) -> None:
    with running(tmp_path, sys.executable, "-c", RAY) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline().strip() == OWN, (tmp_path / "log").read_text()
        assert addresses(driver.pid) <= {OWN, "::1", "::ffff:127.0.0.1"}


def test_ranks_of_one_machine() -> None:
    listener = Listener(0, "lo", [OWN, OWN])
    ports = {c.laddr for c in _listening(psutil.Process())}
    assert (OWN, listener.place.port) in ports
    listener.close()
