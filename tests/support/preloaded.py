"""Commands in processes that are forked from one that has the big libraries loaded, which takes seconds elsewhere.

ganflow and Ray are imported by each command anew: the code lies in the project's own folder, and Ray reads its
environment on import.
"""

import atexit
import contextlib
import functools
import importlib
import json
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.patience import patience

ROOT = Path(__file__).parents[2]
LIBRARIES = (
    "torch.distributed", "pandas", "pyarrow.dataset", "mlflow", "mlflow.tracking", "hydra", "safetensors.torch",
    "sklearn.datasets", "scipy.linalg", "grpc", "psutil", "tqdm", "typer", "jinja2", "filelock",
)  # fmt: skip


class Command:
    """A command that runs; as much of :class:`subprocess.Popen` as tests need."""

    def __init__(
        self, arguments: Sequence[str], folder: Path, env: Mapping[str, str], out: Path, error: Path | None = None
    ) -> None:
        self._server = socket.socket(socket.AF_UNIX)
        self._server.connect(_server().path)
        self._answers = self._server.makefile("r")
        asked = {"arguments": list(arguments), "folder": str(folder), "env": dict(env), "streams": [
            str(out), str(error or out)
        ]}  # fmt: skip
        self._server.sendall(json.dumps(asked).encode() + b"\n")
        self.pid = int(self._answers.readline())

    def wait(self, timeout: float) -> int:
        """The exit status, or minus the signal.

        Raises:
            TimeoutError: it runs on; then it is killed.
        """
        self._server.settimeout(timeout)
        try:
            return int(self._answers.readline())
        except TimeoutError:
            os.killpg(self.pid, signal.SIGKILL)
            raise
        finally:
            self._answers.close()
            self._server.close()


def ganflow(folder: Path, *arguments: str, timeout_s: float = 240) -> tuple[int, str, str]:
    """`ganflow` in a folder, with the code of this checkout: its status, and what it wrote to stdout and stderr."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as name:
        out, error = (Path(name, stream) for stream in ("out", "error"))
        status = Command(["ganflow", *arguments], folder, env, out, error).wait(patience(timeout_s))
        return status, out.read_text(encoding="utf-8"), error.read_text(encoding="utf-8")


class _Server:
    """Ends with this process."""

    def __init__(self) -> None:
        self.path = f"{tempfile.mkdtemp(prefix='gfn-', dir='/tmp')}/socket"
        env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.preloaded", self.path], stdout=subprocess.PIPE, env=env
        )
        assert self.process.stdout is not None
        self.process.stdout.readline()  # it listens


_server = functools.cache(_Server)


def _serve(path: str) -> None:
    for name in LIBRARIES:
        importlib.import_module(name)
    assert threading.active_count() == 1, threading.enumerate()  # a thread that holds a lock would not be forked
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those who wait for the commands are waited for by nobody
    print(flush=True)
    parent = os.getppid()
    listener.settimeout(1)
    while os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            connection, _ = listener.accept()
            connection.settimeout(None)
            if os.fork() == 0:
                listener.close()
                _watch(connection)
            connection.close()
    shutil.rmtree(Path(path).parent)


def _watch(connection: socket.socket) -> None:
    """Run the command that is asked for; say its process id, and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked = json.loads(connection.makefile("r").readline())
    pid = os.fork()
    if pid == 0:
        connection.close()
        _run(**asked)
    connection.sendall(f"{pid}\n".encode())
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(OSError):
        connection.sendall(f"{status}\n".encode())
    os._exit(0)


def _run(arguments: list[str], folder: str, env: dict[str, str], streams: list[str]) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, file in enumerate(streams, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT), number)
    others = [path for path in sys.path if path not in ("", str(ROOT))]
    sys.path[:] = [folder, *env.get("PYTHONPATH", "").split(os.pathsep), *others]
    if arguments[0] == "ganflow":
        module, sys.argv = "ganflow.cli", arguments
    else:
        module, sys.argv = arguments[2], arguments[2:]  # python -m
    status = 1
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=arguments[0] == "python")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve(sys.argv[1])
