"""A real MLflow server, and what the tests of tracking have in common."""

import contextlib
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch

from ganflow.config.schema import Config, RegisterConfig, TrackingConfig
from ganflow.methods import generator
from ganflow.tracking import mlflow_client
from ganflow.tracking.runs import run_record
from ganflow.tracking.runs.tracked_run import DataSet, TrackedRun
from tests.support import preloaded
from tests.support.patience import patience
from tests.support.ports import free_port
from tests.support.project import below

EXPERIMENT, MODEL = "ganflow-tests", "ganflow-tests"
DEADLINE_S = patience(180)


def wait_until(holds: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    end = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < end, f"{what}: not within {deadline_s} s"
        time.sleep(0.05)


class MlflowServer:
    """A real `mlflow server` on loopback that can be stopped and started again on the same port and store."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        store, files = f"sqlite:///{self.folder}/server.db", str(self.folder / "artifacts")
        if not (self.folder / "server.db").exists():
            shutil.copy(preloaded.empty_store(), self.folder / "server.db")
        python = preloaded.folder_of_the_server() / "python"
        command = [str(python), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", store, "--artifacts-destination", files]
        with (self.folder / "server.log").open("ab") as log:
            quiet = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # or eight processes more
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, env=quiet)
        wait_until(self.answers, "mlflow server answers")

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        if self._process is None:
            return
        for process in below(self._process.pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.kill()
        self._process.wait()
        self._process = None


UNFINISHED = Path("unfinished")  # every test has a folder of its own


def open_run(
    tracking: TrackingConfig, fingerprint: str = "f00d", delivered_by: str | None = None, **params: object
) -> TrackedRun:
    data = DataSet("digits", "ab" * 32, "data", {"resolution": 8, "count": 1797})
    name, tags = f"digits-{fingerprint}", {"recipe": "tests"}
    return TrackedRun.open(tracking, UNFINISHED, fingerprint, name, params, tags, data, delivered_by)


def curve(tracking: TrackingConfig, run_id: str, key: str) -> list[tuple[int, float]]:
    """All that the server has of a curve, by step; what it has twice stands there twice."""
    history = mlflow_client.connect(tracking).get_metric_history(run_id, key)
    return [(metric.step, metric.value) for metric in sorted(history, key=lambda m: (m.step, m.timestamp))]


def run_of(tracking: TrackingConfig, run_id: str) -> Any:
    return mlflow_client.connect(tracking).get_run(run_id)


SPEC = generator.GeneratorSpec({"name": "mlp", "widths": [16]}, 4, (1, 8, 8), 3, ["a", "b", "c"])


def write_model(folder: Path, run_id: str, seed: int = 0, spec: generator.GeneratorSpec = SPEC) -> run_record.RunRecord:
    """A model folder as `train` leaves it, with a small network of random weights."""
    torch.manual_seed(seed)
    folder.mkdir(exist_ok=True)
    weights = folder / generator.FILE
    generator.save(weights, spec.build(), spec)
    digest = run_record.file_digest(weights)
    record = run_record.RunRecord(run_id, EXPERIMENT, "f00d", "tests", digest, "ab" * 32, "cd" * 16, "ef" * 20)
    record.write(folder / run_record.FILE)
    return record


def config_for(tracking: TrackingConfig, *exports: str) -> Config:
    """Exports take seconds, so the tests that are about them ask for them."""
    return Config(tracking=tracking, register=RegisterConfig(name=MODEL, exports=list(exports)))
