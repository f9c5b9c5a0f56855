"""Commands in processes that are forked from one that has the big libraries loaded, which takes seconds elsewhere.

ganflow is imported by each command anew, for the code lies in the project's own folder. What a command starts with the
`python` of :func:`folder_of_the_server` is forked, too. Ray reads its environment on import, so there is a process with
Ray for each environment of drivers, and one for each node, from which its workers and agents are forked.
"""

import atexit
import contextlib
import functools
import gc
import hashlib
import importlib
import json
import os
import runpy
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
from filelock import FileLock

from tests.support.patience import patience

ROOT = Path(__file__).parents[2]
REAL = sys.executable
FORKS = "forks"  # holds, under the pid of who asked for it, a fork's pid
LIBRARIES = (
    "torch.distributed", "torch._dynamo", "torch.export", "torch.onnx", "pandas", "pyarrow.dataset", "pyarrow.parquet",
    "mlflow", "mlflow.tracking", "mlflow.pyfunc", "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store", "mlflow.system_metrics.system_metrics_monitor",
    "mlflow.tracing.provider", "alembic.command", "git", "boto3.session", "opentelemetry.sdk.trace", "onnx.reference",
    "onnxscript", "tensorboardX", "aiohttp", "hydra", "safetensors.torch", "sklearn.datasets", "scipy.linalg", "grpc",
    "psutil", "tqdm", "typer", "jinja2", "filelock", "fsspec.core", "jsonschema", "msgpack", "pydantic", "rich.console",
    "PIL.ImageOps", "dvc.cli", "dvc.repo", "dvc.commands.repro", "dvc.commands.experiments",
    "mlflow.cli", "uvicorn",
)  # fmt: skip
# Of a node's workers and of drivers.
RAY_LIBRARIES = ("ray.train.v2._internal.execution.controller", "ray.train.torch", "ray.tune")
OF_A_NODE = ("/worker_entry.py", "/default_worker.py", "/dashboard/agent.py", "/runtime_env/agent/main.py")
DRIVERS = [["-m", f"pipelines.{stage}"] for stage in ("tune", "train", "evaluate")]
OURS = ("ganflow.cluster.jobs.ray_train", "ganflow.cluster.jobs.ray_tune", "ganflow.evaluation.build",
        "ganflow.training.build", "ganflow.report.metrics_file")  # fmt: skip


class Command:
    """A command that runs; as much of :class:`subprocess.Popen` as tests need."""

    def __init__(
        self, arguments: Sequence[str], folder: Path, env: Mapping[str, str], out: Path, error: Path | None = None
    ) -> None:
        self._server = socket.socket(socket.AF_UNIX)
        self._server.connect(f"{folder_of_the_server()}/socket")
        self._answers = self._server.makefile("r")
        asked = {"arguments": list(arguments), "folder": str(folder), "env": dict(env)}
        with open(os.devnull) as none, out.open("a") as stdout, (error or out).open("a") as stderr:
            socket.send_fds(self._server, [b" "], [none.fileno(), stdout.fileno(), stderr.fileno()])
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


@functools.cache
def folder_of_the_server() -> Path:
    """The server's; it holds a `dvc` and a `python` that fork stages and workers of Ray: it goes before all of PATH.

    All workers of one pytest share a server, which ends with that pytest.
    """
    owner = psutil.Process(os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid())
    place = Path(f"/tmp/gfn-{owner.pid}-{owner.create_time():.0f}")  # short, for a socket lies in it
    place.mkdir(mode=0o700, exist_ok=True)
    with FileLock(place / "lock"):
        if not (place / "socket").exists():
            env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
            server = subprocess.Popen(
                [sys.executable, "-m", "tests.support.preloaded", place, str(owner.pid)],
                stdout=subprocess.PIPE,
                env=env,
            )
            assert server.stdout is not None
            server.stdout.readline()  # it listens
    return place


@contextlib.contextmanager
def workers_are_forked() -> Iterator[None]:
    """In the block, workers of a node of Ray that this process starts are forked."""
    from ganflow.cluster.session.ray_internals import quick_workers

    python, code = f"{folder_of_the_server()}/python", {"PYTHONPATH": str(ROOT)}
    with quick_workers(), patch.object(sys, "executable", python), patch.dict(os.environ, code):
        yield


def fork_of(pid: int) -> int | None:
    """The process that was forked for a `python` of :func:`folder_of_the_server`; None: it is none, or has ended."""
    try:
        return int((folder_of_the_server() / FORKS / str(pid)).read_text())
    except FileNotFoundError:
        return None


def empty_store() -> Path:
    """An MLflow store in SQLite, to copy: making its tables takes seconds."""
    return folder_of_the_server() / "mlflow.db"


def _make_store(file: Path) -> None:
    if (child := os.fork()) == 0:
        from mlflow import MlflowClient

        MlflowClient(f"sqlite:///{file}").search_experiments()
        os._exit(0)
    os.waitpid(child, 0)


def _serve(folder: Path, owner: psutil.Process) -> None:
    for name in LIBRARIES:
        importlib.import_module(name)
    _make_store(folder / "mlflow.db")
    assert threading.active_count() == 1, threading.enumerate()  # a thread that holds a lock would not be forked
    program = Path(__file__).with_name("forked_python.py").read_text(encoding="utf-8")
    for name in ("python", "dvc"):
        (folder / name).write_text(f"#!{REAL} -IS\nREAL = {REAL!r}\n{program}", encoding="utf-8")
        (folder / name).chmod(0o755)
    sys.executable = str(folder / "python")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket"))
    listener.listen(64)
    (folder / FORKS).mkdir()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those who wait for the commands are waited for by nobody
    print(flush=True)
    _fork_for_each(listener, owner)
    shutil.rmtree(folder)


def _fork_for_each(listener: socket.socket, owner: psutil.Process) -> None:
    """A fork for each that asks, until the owner ends."""
    gc.freeze()  # a fork that collects would copy what it shares
    listener.settimeout(1)
    while owner.is_running():
        with contextlib.suppress(TimeoutError):
            connection, _ = listener.accept()
            connection.settimeout(None)
            if os.fork() == 0:
                listener.close()
                _watch(connection)
            connection.close()


def _watch(connection: socket.socket) -> None:
    """Run the command that is asked for; say its process id, and how it ended. It does not outlive who asked for it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, _, _ = socket.recv_fds(connection, 1, 4)
    asked = json.loads(connection.makefile("r").readline())
    if len(streams) == 4:  # with the connection of who asked for it
        connection = socket.socket(fileno=streams.pop(0))
    elif with_ray := _with_ray(**asked):
        _hand_over(connection, streams, asked, Path(connection.getsockname()).with_name(with_ray))
        os._exit(0)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _run(streams=streams, **asked)
    for stream in streams:
        os.close(stream)
    asker, _, _ = struct.unpack(
        "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    )
    fork = Path(connection.getsockname()).with_name(FORKS) / str(asker)
    if asked.get("tied"):
        fork.write_text(str(pid))
    while os.getpgid(pid) != pid:  # signals go to its group
        time.sleep(0.001)
    with contextlib.suppress(BrokenPipeError):  # who asked has ended: then the fork will, too
        connection.sendall(f"{pid}\n".encode())
    if asked.get("tied"):
        threading.Thread(target=_kill_at_end, args=(connection, pid), daemon=True).start()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    fork.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        connection.sendall(f"{status}\n".encode())
    os._exit(0)


def _with_ray(arguments: list[str], folder: str, env: dict[str, str], tied: bool = False) -> str | None:
    """The name of the process with Ray in it that a command is forked from; None: it is forked from this one."""
    if arguments[0] != "ganflow" and arguments[1].endswith(OF_A_NODE) and "RAY_RAYLET_PID" in env:
        return f"raylet-{env['RAY_RAYLET_PID']}-{env.get('RAY_JOB_ID', 'agents')}"
    if arguments[1:3] in DRIVERS:
        read = sorted((name, value) for name, value in env.items() if name.startswith(("RAY_", "TUNE_")))
        return f"ray-{hashlib.sha256(json.dumps(read).encode()).hexdigest()[:12]}"
    return None


def _hand_over(connection: socket.socket, streams: list[int], asked: dict[str, Any], place: Path) -> None:
    """Give a command to the process that listens at a place; it is started where it is missing."""
    other = socket.socket(socket.AF_UNIX)
    while True:
        with contextlib.suppress(FileNotFoundError):
            other.connect(str(place))
            break
        own = place.with_name(f"{place.name}.{os.getpid()}")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(own))
            listener.listen(64)
            with contextlib.suppress(FileExistsError):  # another has started it
                os.link(own, place)
                if os.fork() == 0:
                    for stream in (connection.fileno(), *streams):
                        os.close(stream)
                    _serve_with_ray(listener, place, asked["folder"], asked["env"])
            own.unlink()
    socket.send_fds(other, [b" "], [connection.fileno(), *streams])
    other.sendall(json.dumps(asked).encode() + b"\n")


def _serve_with_ray(listener: socket.socket, place: Path, folder: str, env: dict[str, str]) -> None:
    """Load Ray with this environment and fork commands: workers while their node lives, drivers until the end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _enter(folder, env)
    worker = "RAY_RAYLET_PID" in env
    nothing_drawn = importlib.import_module("ganflow.cluster.session.ray_internals").nothing_drawn
    if not worker:  # the environment that a driver sets before it imports Ray
        importlib.import_module("ganflow.cluster.session.ray_environment").set_environment()
    for name in [name for name in sys.modules if name.split(".")[0] == "ganflow"]:
        del sys.modules[name]
    # A node beside its driver's project trains; on others, code may travel there first.
    beside = "PYTHONPATH" in env and ("RAY_JOB_ID" in env or not worker)
    with nothing_drawn():
        for name in (*(RAY_LIBRARIES if beside else ()), *(OURS if beside and worker else ())):
            importlib.import_module(name)
    assert threading.active_count() == 1, threading.enumerate()
    with contextlib.suppress(psutil.NoSuchProcess):
        _fork_for_each(listener, psutil.Process(int(env["RAY_RAYLET_PID"]) if worker else int(sys.argv[2])))
    place.unlink(missing_ok=True)
    os._exit(0)


def _kill_at_end(connection: socket.socket, pid: int) -> None:
    with contextlib.suppress(OSError):
        connection.recv(1)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _run(arguments: list[str], folder: str, env: dict[str, str], streams: Sequence[int], tied: bool = False) -> None:
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    _enter(folder, env)
    status = 1
    try:
        _execute(arguments)
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


def _enter(folder: str, env: dict[str, str]) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    others = [path for path in sys.path if path not in ("", str(ROOT))]
    sys.path[:] = [folder, *env.get("PYTHONPATH", "").split(os.pathsep), *others]


def _execute(arguments: list[str]) -> None:
    if arguments[0] == "ganflow":
        sys.argv = arguments
        runpy.run_module("ganflow.cli", run_name="__main__")
    elif arguments[1] == "-m":
        sys.argv = arguments[2:]
        runpy.run_module(arguments[2], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments[1:]
        with patch.object(os, "execve", _execute_here) if "ray" in sys.modules else contextlib.nullcontext():
            _run_program(sys.argv)


def _execute_here(python: str, command: list[str], env: dict[str, str]) -> None:
    """In place of the end of ``worker_entry``, which has set the environment: the worker's own program."""
    sys.argv = command[1:]
    _run_program(sys.argv)


def _run_program(arguments: list[str]) -> None:
    sys.path[0] = str(Path(arguments[0]).parent)
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), psutil.Process(int(sys.argv[2])))
