"""A command of the server is what `python -m` would be: folder, environment, output, exit status, end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ganflow.cluster.session.session import session
from ganflow.config.schema import ClusterConfig
from tests.support.patience import patience
from tests.support.preloaded import Command, folder_of_the_server, fork_of, workers_are_forked
from tests.support.project import below, wait_until

pytestmark = pytest.mark.slow

MODULE = """
import atexit, json, os, signal, sys, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # before its line: who reads that may send one at once
atexit.register(print, "the end")
print(json.dumps([os.getcwd(), sys.argv[1:], os.environ.get("GIVEN"), "HOME" in os.environ, os.getsid(0) == os.getpid(),
                  "torch" in sys.modules, "ray" in sys.modules, "ganflow" in sys.modules]), flush=True)
{then}
"""


def run(folder: Path, then: str, *arguments: str, timeout: float = 60) -> tuple[int, list[str]]:
    (folder / "asked.py").write_text(MODULE.format(then=then))
    command = Command(["python", "-m", "asked", *arguments], folder, {"GIVEN": "yes"}, folder / "log")
    return command.wait(patience(timeout)), (folder / "log").read_text().splitlines()


def test_where_and_with_what_it_runs(tmp_path: Path) -> None:
    status, [said, end] = run(tmp_path, "", "a", "b")
    assert (status, end) == (0, "the end")
    assert json.loads(said) == [str(tmp_path), ["a", "b"], "yes", False, True, True, False, False]


@pytest.mark.parametrize(("then", "expected"), [
    ("sys.exit(3)", 3), ("sys.exit('no')", 1), ("raise ValueError", 1), ("os.kill(os.getpid(), 9)", -signal.SIGKILL),
])  # fmt: skip
def test_how_it_ends(tmp_path: Path, then: str, expected: int) -> None:
    assert run(tmp_path, then)[0] == expected


def test_it_is_killed_at_its_deadline(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        run(tmp_path, "time.sleep(600)", timeout=3 / patience(1))
    assert "the end" not in (tmp_path / "log").read_text()


def started(folder: Path, then: str) -> "subprocess.Popen[str]":
    """`python -m pipelines.asked` with the `python` that asks for forks, once it has said where it is."""
    (folder / "pipelines").mkdir()
    (folder / "pipelines/asked.py").write_text(MODULE.format(then=then))
    command = [f"{folder_of_the_server()}/python", "-m", "pipelines.asked", "a"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())[:2] == [str(folder), ["a"]]
    return process


@pytest.mark.parametrize(("then", "expected"), [("", 0), ("sys.exit(3)", 3), ("os.kill(os.getpid(), 9)", -9)])
def test_a_python_that_is_forked_ends_as_its_fork_does(tmp_path: Path, then: str, expected: int) -> None:
    assert started(tmp_path, then).wait(patience(60)) == expected


def test_a_signal_to_its_group_reaches_the_fork(tmp_path: Path) -> None:
    process = started(tmp_path, "sys.exit(5 if signal.sigwait([signal.SIGINT]) else 0)")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(patience(60)) == 5


def test_a_fork_and_what_it_started_are_found_and_end_with_who_asked_for_it(tmp_path: Path) -> None:
    process = started(tmp_path, "import subprocess; subprocess.run(['sleep', '600'])")
    while len(found := below(process.pid)) < 2:
        assert process.poll() is None
    fork, sleeps = found
    assert fork.pid == fork_of(process.pid)
    assert sleeps.name() == "sleep"
    process.kill()
    assert not psutil.wait_procs([fork], timeout=patience(20))[1]
    sleeps.kill()


def test_any_other_program_is_run_by_the_real_python(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import sys; print('torch' in sys.modules, sys.executable)")
    command = [f"{folder_of_the_server()}/python", tmp_path / "program.py"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", sys.executable]


def test_a_node_s_workers_have_ray_from_a_process_that_ends_with_their_node() -> None:
    with session(ClusterConfig()):
        import ray

        ray.shutdown()
        with workers_are_forked():
            ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)

        @ray.remote
        class Worker:
            def asked(self) -> tuple[int, str, str]:
                return psutil.Process().ppid(), os.environ["RAY_RAYLET_PID"], ray.ObjectID.from_random().hex()

        workers = [Worker.remote() for _ in range(2)]
        (parent, raylet, drawn), (*_, drawn_by_the_other) = ray.get([worker.asked.remote() for worker in workers])
        assert drawn != drawn_by_the_other  # they do not go on with the numbers of the process that they come from
        serving = list(folder_of_the_server().glob(f"raylet-{raylet}-*"))
        assert {path.name.rpartition("-")[2] for path in serving} > {"agents"}
        assert "tests.support.preloaded" in psutil.Process(parent).cmdline()
    wait_until(lambda: not any(path.exists() for path in serving), "the end of what serves a node")
