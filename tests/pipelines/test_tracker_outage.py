"""The train stage while MLflow dies and stays away."""

import csv
import io
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ganflow.config.schema import TrackingConfig
from ganflow.tracking import mlflow_client
from tests.support.patience import patience
from tests.support.project import DEADLINE_S, Project, kill_tree, wait_until
from tests.tracking.mlflow_help import MlflowServer

pytestmark = pytest.mark.slow

SHORT = (
    "experiment=ring8", "data.count=2000", "data.test_count=0", "training.batch=128", "training.kimg=40",
    "training.snapshot_kimg=20", "training.checkpoint_kimg=2", "training.report_kimg=1", "evaluation.samples=300",
    "training.schedule.warmup_kimg=0", "gan.generator.widths=[16]", "gan.discriminator.widths=[16]",
    "cluster.workers=1", "tune.trials=0", "tracking.patience_s=5",
)  # fmt: skip


@pytest.fixture
def mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowServer]:
    server = MlflowServer(tmp_path)
    server.start()
    monkeypatch.setenv(mlflow_client.URI_VARIABLE, server.uri)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("prepared"), *SHORT, extractor=())
    project.stage("prepare")
    project.stage("tune")  # no trials
    return project


def training(project: Project) -> subprocess.Popen[str]:
    """The train stage, once it has written a checkpoint of its own."""
    before = checkpoints(project)
    driver = project.start("python", "-m", "pipelines.train")
    wait_until(lambda: bool(checkpoints(project) - before) or driver.poll() is not None, "a checkpoint")
    assert driver.poll() is None, project.log()
    return driver


def checkpoints(project: Project) -> set[str]:
    return {path.name for path in project.folder.glob(".ganflow/runs/*/checkpoint-*.pt")}


def ends_undelivered(driver: subprocess.Popen[str], project: Project) -> None:
    assert driver.wait(DEADLINE_S) == 2, project.log()
    (line,) = [line for line in project.log().splitlines() if "did not reach MLflow" in line]
    assert line.endswith("the same command delivers it, and does not train again")


def is_complete(project: Project, client: Any) -> None:
    """MLflow has the run's every point once, in order, and its every grid."""
    curves = list(csv.DictReader(io.StringIO(project.read("reports/training.csv").decode())))
    assert float(curves[-1]["kimg"]) > 39
    run_id = json.loads(project.read("model/run.json"))["run_id"]
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert [found.info.run_id for found in client.search_runs([run.info.experiment_id])] == [run_id]
    for name in ("D/adversarial", "images_per_second"):
        steps = sorted(metric.step for metric in client.get_metric_history(run_id, name))
        assert steps == [round(float(row["kimg"]) * 1000) for row in curves if row[name]]
    grids = {path.name for path in project.folder.glob(".ganflow/runs/*.finished/samples/*")}
    assert len(grids) >= 2
    assert {Path(file.path).name for file in client.list_artifacts(run_id, "samples")} == grids


def client_of(mlflow: MlflowServer) -> Any:
    return mlflow_client.connect(TrackingConfig(uri=mlflow.uri, experiment="ganflow-ring8"))


def test_training_ends_without_mlflow_and_the_same_command_delivers(
    tmp_path: Path, prepared: Project, mlflow: MlflowServer
) -> None:
    project = Project(tmp_path / "project", *SHORT, extractor=()).ready_to_train(prepared)
    driver = training(project)
    mlflow.stop()
    ends_undelivered(driver, project)
    weights = project.read("model/generator.safetensors")
    mlflow.start()
    project.stage("train")
    is_complete(project, client_of(mlflow))
    assert project.read("model/generator.safetensors") == weights


def test_killed_in_an_outage_and_gone_on_without_mlflow_the_same_command_delivers(
    tmp_path: Path, prepared: Project, mlflow: MlflowServer
) -> None:
    longer = ("training.kimg=80", "training.snapshot_kimg=8")
    project = Project(tmp_path / "project", *SHORT, *longer, extractor=()).ready_to_train(prepared)
    driver = training(project)
    mlflow.stop()
    before = checkpoints(project)
    wait_until(lambda: bool(checkpoints(project) - before) or driver.poll() is not None, "a checkpoint in the outage")
    kill_tree(driver.pid)
    assert driver.wait(patience(60)) == -signal.SIGKILL
    again = project.start("python", "-m", "pipelines.train")
    ends_undelivered(again, project)
    assert "goes on without it" in project.log()
    mlflow.start()
    project.stage("train")
    is_complete(project, client_of(mlflow))
