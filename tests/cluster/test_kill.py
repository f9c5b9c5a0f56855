"""Training on Ray outlives what is killed: the weights are those of a run that was left alone, to the last bit."""

import csv
import hashlib
import io
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.patience import patience
from tests.support.project import REPRODUCED, Project, kill_tree, wait_until, workers_of

pytestmark = pytest.mark.slow

WEIGHTS = "model/generator.safetensors"


def sha256(project: Project) -> str:
    return hashlib.sha256(project.read(WEIGHTS)).hexdigest()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A run that was left alone."""
    project = Project.reproduced(tmp_path_factory.mktemp("alone"))
    assert "train starts" in project.log()
    assert "goes on" not in project.log()
    return project


def checkpoints(project: Project) -> list[Path]:
    return [p for p in project.folder.glob(".ganflow/runs/*/checkpoint-*.pt") if p.parent.suffix != ".finished"]


def in_the_middle(project: Project) -> subprocess.Popen[str]:
    """The train stage with its first checkpoint just written."""
    driver = project.start("python", "-m", "pipelines.train")
    wait_until(lambda: bool(checkpoints(project)) or driver.poll() is not None, "a first checkpoint")
    assert driver.poll() is None, project.log()
    return driver


def test_killed_worker(alone: Project, tmp_path: Path) -> None:
    project = Project(tmp_path, *REPRODUCED).ready_to_train(alone)
    driver = in_the_middle(project)
    os.kill(workers_of(driver.pid)[0], signal.SIGKILL)
    assert driver.wait(patience(240)) == 0, project.log()
    assert "train goes on after" in project.log()
    assert sha256(project) == sha256(alone)
    assert project.read("reports/training.csv").count(b"\n") == alone.read("reports/training.csv").count(b"\n")


@pytest.fixture(scope="module")
def restarted(alone: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A run whose driver was killed, after the same command was given again."""
    project = Project(tmp_path_factory.mktemp("restarted"), *REPRODUCED).ready_to_train(alone)
    driver = in_the_middle(project)
    kill_tree(driver.pid)
    assert driver.wait(patience(60)) == -signal.SIGKILL
    assert not (project.folder / WEIGHTS).exists()
    assert "train goes on after" in project.stage("train")
    return project


def test_killed_driver(alone: Project, restarted: Project) -> None:
    assert sha256(restarted) == sha256(alone)
    record = json.loads(restarted.read("model/run.json"))
    assert record["model_digest"] == sha256(alone)
    assert curves(restarted) == curves(alone)


def curves(project: Project) -> list[dict[str, str]]:
    """What was reported, without what depends on the clock."""
    rows = csv.DictReader(io.StringIO(project.read("reports/training.csv").decode()))
    return [{name: value for name, value in row.items() if name != "images_per_second"} for row in rows]


def test_one_mlflow_run_for_both_halves(restarted: Project) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{restarted.folder}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'ganflow-digits'")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    steps = [metric.step for metric in client.get_metric_history(run.info.run_id, "D/adversarial")]
    assert steps == sorted(set(steps))
    assert steps[0] == 512
    assert steps[-1] == 12032
    assert len(steps) == 24


def test_a_finished_run_is_not_taken_for_a_new_one(alone: Project) -> None:
    assert checkpoints(alone) == []
    assert list(alone.folder.glob(".ganflow/runs/*.finished/checkpoint-*.pt"))
