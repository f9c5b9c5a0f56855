"""Workers of a node of this process's own are forks of one that has loaded what they import; without it they start all
the same."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from ganflow.cluster.session import fork_server, worker_entry
from tests.support.patience import patience
from tests.support.project import ROOT, wait_until

pytestmark = pytest.mark.slow

ASK = """
import json, os, sys
from ganflow.cluster.session import fork_server
exec(sys.argv[1])
fork_server.start(None)
from ganflow.cluster.session.session import session
from ganflow.config.schema import ClusterConfig
from ganflow.terminal.messages import shown

def asked():
    import psutil, torch
    from ganflow.cluster.session.fork_server import take_threads
    take_threads()
    process = psutil.Process()
    return {
        "above": process.ppid(), "threads": torch.get_num_threads(), "drawn": ray.ObjectID.from_random().hex(),
        "group": os.getpgid(0) == process.pid, "open": len(os.listdir("/proc/self/fd")), "pid": process.pid,
        "given": "GANFLOW_FORK_SERVER" in os.environ, "title": process.cmdline()[0],
    }

with shown(), session(ClusterConfig()):
    import ray
    actors = [ray.remote(num_cpus=1)(type("Worker", (), {"asked": lambda self: asked()})).remote() for _ in range(2)]
    workers = ray.get([actor.asked.remote() for actor in actors])
    ray.kill(actors[0])
    again = ray.get(ray.remote(num_cpus=1)(asked).remote())
print(json.dumps({"server": fork_server._started[0].process.pid, "workers": [*workers, again]}))
"""


def runs(pid: int) -> bool:
    """False, too, for what has ended and has nobody who asks."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def told(folder: Path, before: str = "") -> tuple[dict[str, object], str]:
    """What a driver says of its workers, and the notes that it shows. Its own Python, for its server is real, too."""
    env = {k: v for k, v in os.environ.items() if k not in ("RAY_ADDRESS", "OMP_NUM_THREADS")}
    env |= {"PYTHONPATH": str(ROOT), "RAY_AUTH_MODE": "disabled"}
    run = subprocess.run(
        [sys.executable, "-c", ASK, before], cwd=folder, env=env, capture_output=True, text=True, timeout=patience(120)
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1]), run.stderr


def test_workers_are_forks_of_one_process_that_ends_with_the_driver(tmp_path: Path) -> None:
    answer, notes = told(tmp_path)
    first, second, third = answer["workers"]
    assert [worker["above"] for worker in answer["workers"]] == [answer["server"]] * 3
    assert [worker["threads"] for worker in answer["workers"]] == [1, 1, 1]  # as Ray says, whatever the server had
    assert len({worker["drawn"] for worker in answer["workers"]}) == 3
    assert all(worker["group"] and not worker["given"] for worker in answer["workers"])
    assert second["title"].startswith("ray::")
    assert third["open"] <= first["open"] + 2  # of other workers it holds nothing
    assert "did not load" not in notes
    started = [answer["server"], *(worker["pid"] for worker in answer["workers"])]
    wait_until(lambda: not any(map(runs, started)), "the end of what was started")


def test_where_it_does_not_load_workers_load_for_themselves(tmp_path: Path) -> None:
    answer, notes = told(tmp_path, "fork_server.__name__ = 'not.there'")
    assert answer["server"] not in [worker["above"] for worker in answer["workers"]]
    assert [worker["threads"] for worker in answer["workers"]] == [1, 1, 1]
    assert "what workers share did not load (" in notes
    assert "No module named 'not')); each loads it for itself" in notes


# A worker as the server starts it: it says what it was given, and ends as it is told.
WORKER = """
import json, os, signal, sys
print(json.dumps([sys.argv, os.getcwd(), dict(os.environ), signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL]))
sys.stdout.flush()
if "wait" in sys.argv: sys.stdin.read()
"""
SERVE = """
from ganflow.cluster.session import fork_server
fork_server.LIBRARIES = fork_server.RAY = ()
fork_server.main()
"""


@contextmanager
def serving(name: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A server that loads nothing."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{name}")
        listener.listen()
        command = [sys.executable, "-c", SERVE]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, stdin=listener.fileno(), stdout=subprocess.PIPE, env=env)
    try:
        yield process
    finally:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(patience(20)) == 0


def entry(name: str, worker: Path, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
    """The program that a raylet starts, for a worker of ours."""
    env = {worker_entry.FORK_SERVER: name, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables}
    return subprocess.Popen(
        [sys.executable, worker_entry.__file__, "--language=PYTHON", str(worker), *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, cwd=worker.parent,
    )  # fmt: skip


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("workers") / "worker.py"
    file.write_text(WORKER)
    return file


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    name = f"ganflow-test-{os.getpid()}"
    with serving(name) as process:
        yield name, process


JOB = {"RAY_RAYLET_PID": "7", "RAY_JOB_ID": "01000000"}


def test_a_fork_is_what_the_program_would_have_been(server: tuple[str, object], worker: Path) -> None:
    asked = entry(server[0], worker, "--a", "b c", GIVEN="yes", **JOB)
    arguments, folder, environment, usual = json.loads(asked.communicate(timeout=patience(60))[0])
    assert (arguments, folder) == ([str(worker), "--a", "b c"], str(worker.parent))
    assert environment["GIVEN"] == "yes"
    assert not {"HOME", worker_entry.FORK_SERVER} & set(environment)
    assert usual is True


def test_a_fork_and_its_program_end_together(server: tuple[str, "subprocess.Popen[bytes]"], worker: Path) -> None:
    for ends_first in (0, 1):
        asked = entry(server[0], worker, "wait", **JOB)
        assert asked.stdout is not None
        asked.stdout.readline()
        [fork] = psutil.Process(server[1].pid).children()
        ends, follows = [(psutil.Process(asked.pid), fork), (fork, psutil.Process(asked.pid))][ends_first]
        ends.kill()
        asked.wait(patience(20))
        wait_until(lambda left=follows.pid: not runs(left), "both ends")


def test_a_worker_of_another_job_starts_without_it(server: tuple[str, "subprocess.Popen[bytes]"], worker: Path) -> None:
    entry(server[0], worker, **JOB).communicate(timeout=patience(60))
    asked = entry(server[0], worker, "wait", **{**JOB, "RAY_JOB_ID": "02000000"})
    assert asked.stdout is not None
    assert json.loads(asked.stdout.readline())[0] == [str(worker), "wait"]
    assert psutil.Process(asked.pid).cmdline()[1:] == [str(worker), "wait"]  # it has become the worker itself
    assert psutil.Process(server[1].pid).children() == []
    asked.communicate("", timeout=patience(20))


def test_a_worker_of_a_server_that_has_ended_starts_without_it(worker: Path) -> None:
    asked = entry("ganflow-test-of-nobody", worker, **JOB)
    assert json.loads(asked.communicate(timeout=patience(20))[0])[0] == [str(worker)]


def test_another_user_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        assert worker_entry.is_of_this_user(one)
        monkeypatch.setattr(os, "getuid", lambda: 4321)
        assert not worker_entry.is_of_this_user(other)


def test_a_named_cluster_s_workers_are_not_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    fork_server.start("10.0.0.1:6379")
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    fork_server.start(None)
    assert fork_server._started == []


def test_a_server_whose_parent_was_killed_ends(tmp_path: Path) -> None:
    start = "from ganflow.cluster.session import fork_server as f; f.start(None); print(f._started[0].process.pid)"
    parent = subprocess.Popen(
        [sys.executable, "-c", f"{start}; input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert parent.stdout is not None
    started = int(parent.stdout.readline().split()[-1])
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not runs(started), "the server's end")
