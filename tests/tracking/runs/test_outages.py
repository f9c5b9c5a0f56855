"""A real MLflow server that dies, restarts, is slow or away, and drivers that are killed meanwhile."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ganflow.config.schema import TrackingConfig
from ganflow.errors import GanflowError
from ganflow.tracking import mlflow_client
from ganflow.tracking.runs import tracked_run
from ganflow.tracking.runs.unfinished_run import UnfinishedRun
from tests.system.proxy import FaultProxy
from tests.tracking.mlflow_help import EXPERIMENT, UNFINISHED, MlflowServer, curve, open_run, run_of, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("messages")]


@pytest.fixture
def mlflow(mlflow_server: MlflowServer) -> Iterator[MlflowServer]:
    """The server, which every test leaves as it found it."""
    yield mlflow_server
    if not mlflow_server.answers():
        mlflow_server.stop()
        mlflow_server.start()


@pytest.fixture
def tracking(mlflow: MlflowServer) -> TrackingConfig:
    return TrackingConfig(uri=mlflow.uri, experiment=EXPERIMENT, patience_s=120)


def straight(first: int, end: int) -> list[tuple[int, float]]:
    return [(step, float(step)) for step in range(first, end)]


def test_an_outage_of_the_server_costs_nothing(
    tracking: TrackingConfig, mlflow: MlflowServer, capfd: pytest.CaptureFixture[str]
) -> None:
    with open_run(tracking, "0ff") as run:
        run.metrics({"loss": 0.0}, 0)
        wait_until(lambda: run_of(tracking, run.run_id).data.metrics.get("loss") == 0.0, "the first point")
        mlflow.stop()
        for step in range(1, 2001):
            run.metrics({"loss": float(step)}, step)
        run.image(b"drawn meanwhile", "outage.png")
        told: list[str] = []
        wait_until(_collect(capfd, told, "does not answer"), "the outage is told")
        mlflow.start()
        run.metrics({"loss": 2001.0}, 2001)
    _collect(capfd, told, "")()
    assert curve(tracking, run.run_id, "loss") == [(step, float(step)) for step in range(2002)]
    assert [f.path for f in mlflow_client.connect(tracking).list_artifacts(run.run_id, "samples")] == [
        "samples/outage.png"
    ]
    lines = [line for line in "".join(told).splitlines() if line.strip()]
    assert sum("does not answer: " in line and "training goes on" in line for line in lines) == 1, lines


def _collect(capfd: pytest.CaptureFixture[str], told: list[str], what: str) -> Callable[[], bool]:
    def found() -> bool:
        told.append(capfd.readouterr().err)
        return what in "".join(told)

    return found


def test_points_that_flow_while_the_server_is_killed_and_restarted_arrive_once(
    tracking: TrackingConfig, mlflow: MlflowServer
) -> None:
    steps, over = itertools.count(), threading.Event()

    def train() -> None:
        while not over.wait(0.001):
            step = next(steps)
            run.metrics({"loss": float(step), "other": -float(step)}, step)
            if step % 100 == 0:
                run.text(f"{step}", "warnings.txt")

    def more_arrives() -> None:
        before = run_of(tracking, run.run_id).data.metrics.get("loss", 0.0)
        wait_until(lambda: run_of(tracking, run.run_id).data.metrics.get("loss", 0.0) > before + 100, "more points")

    with open_run(tracking, "f10e") as run:
        training = threading.Thread(target=train)
        training.start()
        more_arrives()
        mlflow.stop()  # SIGKILL, while it writes
        mlflow.start()
        more_arrives()
        over.set()
        training.join()
    step = next(steps)
    assert curve(tracking, run.run_id, "loss") == straight(0, step)
    assert len(curve(tracking, run.run_id, "other")) == step
    path = mlflow_client.connect(tracking).download_artifacts(run.run_id, "warnings.txt", str(Path.cwd()))
    assert Path(path).read_text() == f"{(step - 1) // 100 * 100}"
    assert list(UNFINISHED.iterdir()) == []


DRIVER = """
import sys
from ganflow.config.schema import TrackingConfig
from tests.tracking.mlflow_help import EXPERIMENT, open_run
run = open_run(TrackingConfig(uri=sys.argv[1], experiment=EXPERIMENT), "d1e")
print(run.run_id, flush=True)
for line in sys.stdin:
    first, end = map(int, line.split())
    for step in range(first, end):
        run.metrics({"loss": float(step)}, step)
    run.image(b"grid %d" % end, f"{end}.png")
    print("put", flush=True)
"""


class Driver:
    """A process of its own that logs points when it is told to."""

    def __init__(self, uri: str) -> None:
        path = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", ""), *sys.path])
        self._process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, uri],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        self.run_id = self._answer()

    def put(self, first: int, end: int) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{first} {end}\n")
        self._process.stdin.flush()
        assert self._answer() == "put"

    def kill(self) -> None:
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _answer(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()


def test_a_driver_that_is_killed_in_an_outage_is_followed_by_one_that_tells_it_again(
    tracking: TrackingConfig, mlflow: MlflowServer
) -> None:
    driver = Driver(mlflow.uri)
    driver.put(0, 100)
    wait_until(lambda: len(curve(tracking, driver.run_id, "loss")) == 100, "the first points")
    mlflow.stop()
    driver.put(100, 1500)
    driver.kill()
    mlflow.start()
    with open_run(tracking, "d1e") as run:
        assert run.run_id == driver.run_id
        for step in range(1600):  # the history, then what comes after its checkpoint
            run.metrics({"loss": float(step)}, step)
        for end in (100, 1500):
            run.image(b"grid", f"{end}.png")
    assert curve(tracking, run.run_id, "loss") == straight(0, 1600)
    grids = mlflow_client.connect(tracking).list_artifacts(run.run_id, tracked_run.SAMPLES)
    assert sorted(grid.path for grid in grids) == ["samples/100.png", "samples/1500.png"]
    assert run_of(tracking, run.run_id).info.status == "FINISHED"
    assert list(UNFINISHED.iterdir()) == []


def test_a_run_that_was_begun_goes_on_without_the_server_and_a_new_one_does_not_begin(
    tracking: TrackingConfig, mlflow: MlflowServer, capfd: pytest.CaptureFixture[str]
) -> None:
    driver = Driver(mlflow.uri)
    driver.put(0, 10)
    driver.kill()
    mlflow.stop()
    for other, of_another_server in (("beef", mlflow.uri), ("d1e", mlflow.uri.replace("127.0.0.1", "localhost"))):
        with pytest.raises(GanflowError, match="does not answer: connection refused"):
            open_run(TrackingConfig(uri=of_another_server, experiment=EXPERIMENT), other)
    capfd.readouterr()
    with open_run(tracking, "d1e") as run:
        assert run.run_id == driver.run_id
        told = capfd.readouterr().err
        assert told.startswith(f"ganflow: MLflow at {mlflow.uri} does not answer: connection refused; ")
        assert told.endswith(f"; run {run.run_id} goes on without it\n")
        for step in range(20):
            run.metrics({"loss": float(step)}, step)
        mlflow.start()
        wait_until(lambda: len(curve(tracking, run.run_id, "loss")) == 20, "what was kept")
        assert run_of(tracking, run.run_id).info.status == "RUNNING"
    assert curve(tracking, run.run_id, "loss") == straight(0, 20)
    assert run_of(tracking, run.run_id).info.status == "FINISHED"


def test_a_slow_and_busy_server_keeps_nobody_waiting(mlflow: MlflowServer, capfd: pytest.CaptureFixture[str]) -> None:
    proxy = FaultProxy(mlflow.port)
    proxy.start()
    tracking = TrackingConfig(uri=proxy.endpoint, experiment=EXPERIMENT, patience_s=120)
    try:
        with open_run(tracking, "510") as run:
            proxy.delay_s, proxy.every = 3.0, 4
            begin = time.perf_counter()
            for step in range(3000):
                run.metrics({"loss": float(step)}, step)
            run.image(b"grid", "last.png")
            assert time.perf_counter() - begin < 3.0
        assert time.perf_counter() - begin > 12.0  # three requests of points and at least one of a file
        assert proxy.refused > 0
        proxy.heal()
        assert curve(tracking, run.run_id, "loss") == straight(0, 3000)
        assert run_of(tracking, run.run_id).info.status == "FINISHED"
    finally:
        proxy.refuse()
    assert "ganflow: waiting for MLflow to take " in capfd.readouterr().err


def test_a_damaged_note_of_a_run_is_none(tracking: TrackingConfig) -> None:
    run = open_run(tracking, "ba5e")
    note = UnfinishedRun.note(UNFINISHED, "ba5e")
    assert UnfinishedRun.read(note, tracking) == UnfinishedRun(
        run.run_id, tracking.uri, run_of(tracking, run.run_id).info.start_time
    )
    run.finish("KILLED")
    assert note.exists()
    for content in (b"", b"[]", b'{"run_id": "x"}', b"\xff"):
        note.write_bytes(content)
        assert UnfinishedRun.read(note, tracking) is None
