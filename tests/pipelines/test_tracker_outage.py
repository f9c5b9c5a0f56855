"""The train stage while MLflow dies and stays away."""

import csv
import io
import json
from pathlib import Path

import pytest

from ganflow.config.schema import TrackingConfig
from ganflow.tracking import mlflow_client
from tests.support.project import Project, wait_until
from tests.tracking.mlflow_help import MlflowServer

SHORT = (
    "experiment=ring8", "data.count=2000", "data.test_count=0", "training.batch=128", "training.kimg=40",
    "training.snapshot_kimg=20", "training.checkpoint_kimg=2", "training.report_kimg=1", "evaluation.samples=300",
    "training.schedule.warmup_kimg=0", "gan.generator.widths=[16]", "gan.discriminator.widths=[16]",
    "cluster.workers=1", "tune.trials=0", "tracking.patience_s=5",
)  # fmt: skip


def test_training_ends_without_mlflow_and_the_same_command_delivers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = MlflowServer(tmp_path)
    mlflow.start()
    monkeypatch.setenv(mlflow_client.URI_VARIABLE, mlflow.uri)
    (tmp_path / "project").mkdir()
    project = Project(tmp_path / "project", *SHORT, extractor=())
    try:
        project.stage("prepare")
        project.stage("tune")
        driver = project.start("python", "-m", "pipelines.train")
        wait_until(lambda: any(project.folder.glob(".ganflow/runs/*/checkpoint-*.pt")), "a first checkpoint")
        mlflow.stop()
        assert driver.wait(240) == 2, project.log()
        (told,) = [line for line in project.log().splitlines() if "did not reach MLflow" in line]
        assert told.endswith("the same command delivers it, and does not train again")
        weights = project.read("model/generator.safetensors")
        curves = list(csv.DictReader(io.StringIO(project.read("reports/training.csv").decode())))
        assert float(curves[-1]["kimg"]) > 39
        mlflow.start()
        project.stage("train")
        run_id = json.loads(project.read("model/run.json"))["run_id"]
        client = mlflow_client.connect(TrackingConfig(uri=mlflow.uri, experiment="ganflow-ring8"))
        status = client.get_run(run_id).info.status
        known = sorted(metric.step for metric in client.get_metric_history(run_id, "D/adversarial"))
    finally:
        mlflow.stop()
    assert status == "FINISHED"
    assert known == [round(float(row["kimg"]) * 1000) for row in curves if row["D/adversarial"]]
    assert project.read("model/generator.safetensors") == weights
    assert list((project.folder / ".ganflow/outbox").iterdir()) == []
