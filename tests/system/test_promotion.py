"""Promotion as a team has it: MLflow over PostgreSQL and S3, models that were really trained, commands at once."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from ganflow.methods import generator
from ganflow.tracking.runs import run_record
from tests.support.browser import chromium
from tests.support.patience import patience
from tests.support.project import Project
from tests.system.conftest import BUCKET
from tests.system.faults import BUILD
from tests.system.mlflow_server import MlflowServer
from tests.system.postgres import Postgres
from tests.system.swift import SECRET, Swift

LOADED = "--virtual-time-budget=30000"  # ms of the page's clock, in which it asks for what it shows
NAME = "contested"  # no other test registers it
WORSE, BETTER, TWIN = 1, 2, 3  # versions
SETTINGS = (
    f"register.name={NAME}",
    "tune.trials=0", "cluster.workers=1", "training.report_kimg=1", "training.snapshot_kimg=40",
    "training.checkpoint_kimg=40", "evaluation.samples=1000", "evaluation.snapshot_samples=100",
    "evaluation.extractor.kimg=12", "evaluation.extractor.width=8", "evaluation.resamples=50",
    "evaluation/metrics=[fid,coverage,memorisation]", "promotion.first.fid=null", "promotion.first.precision=null",
    "promotion.first.coverage=0.1", "promotion.limits.memorised=0.1", "promotion.latency=100",
)  # fmt: skip


class Team:
    """A project whose registry is on servers."""

    def __init__(self, folder: Path, server: MlflowServer, postgres: Postgres) -> None:
        self.project, self.server, self.postgres = Project(folder, *SETTINGS), server, postgres
        (folder / "reports/evaluation").mkdir(parents=True)
        (folder / "reports/metrics.json").write_text("{}")
        (folder / "reports/report.html").write_text("<p>not measured</p>")
        for stage in ("prepare", "tune"):
            self.stage(stage)

    def stage(self, name: str) -> None:
        """Run a stage to its end."""
        done = self.start("-m", f"pipelines.{name}")
        out, _ = done.communicate(timeout=patience(480))
        assert done.returncode == 0, out

    def train(self, kimg: int) -> None:
        """Train and register one more version; promotion measures it."""
        self.ganflow(0, "config", "compose", *SETTINGS, f"training.kimg={kimg}")
        self.stage("train")
        self.stage("register")

    def twin(self) -> None:
        """Register the last model once more, its weights a hair apart."""
        weights, record = (
            self.project.folder / "model" / generator.FILE,
            self.project.folder / "model" / run_record.FILE,
        )
        model = generator.load(weights)
        for parameter in model.network.parameters():
            parameter.mul_(1 + 1e-4)
        generator.save(weights, model.network, model.spec)
        known = run_record.RunRecord.read(record)
        replace(known, model_digest=run_record.file_digest(weights)).write(record)
        self.stage("register")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start Python in the project."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        env |= {"PYTHONPATH": str(self.project.folder), "OMP_NUM_THREADS": "1", "MLFLOW_TRACKING_URI": self.server.uri}
        return subprocess.Popen(
            [sys.executable, *arguments], cwd=self.project.folder, env=env, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def ganflow(self, status: int, *arguments: str) -> str:
        """Run a command; what it said last. Fails when it ends otherwise."""
        done = self.start("-m", "ganflow.cli", *arguments)
        out, _ = done.communicate(timeout=patience(300))
        assert done.returncode == status, out
        return out.splitlines()[-1]

    def champion(self) -> list[Any]:
        """The alias, as PostgreSQL has it."""
        where = f"name = '{NAME}' AND alias = 'champion'"
        return self.postgres.query("mlflow", f"SELECT version FROM registered_model_aliases WHERE {where}")

    def changes(self) -> int:
        """How often the champion changed."""
        where = f"name = '{NAME}.champion' AND current_stage <> 'Deleted_Internal'"
        ((count,),) = self.postgres.query("mlflow", f"SELECT count(*) FROM model_versions WHERE {where}")
        return int(str(count))

    def tags(self, version: int) -> dict[str, str]:
        """A version's tags, as PostgreSQL has them."""
        where = f"name = '{NAME}' AND version = {version}"
        rows = self.postgres.query("mlflow", f"SELECT key, value FROM model_version_tags WHERE {where}")
        return {str(key): str(value) for key, value in rows}


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, mlflow_server: MlflowServer, postgres: Postgres) -> Team:
    """A project with two models, one trained longer, and that one's twin; no champion."""
    team = Team(tmp_path_factory.mktemp("team"), mlflow_server, postgres)
    team.train(3)
    team.train(24)
    team.twin()
    return team


def test_the_gate_promotes_one_refuses_the_other_and_a_rollback_undoes_it(team: Team, s3: Swift) -> None:
    assert "promoted" in team.ganflow(0, "promote", f"{NAME}/{WORSE}")
    assert team.champion() == [(WORSE,)]
    team.ganflow(0, "promote", f"{NAME}/{BETTER}", "--dry-run")
    assert team.champion() == [(WORSE,)]
    assert "promotion" not in team.tags(BETTER)
    promoted = team.ganflow(0, "promote", f"{NAME}/{BETTER}")
    assert promoted == f"promoted: {NAME} version 2 is champion, in place of version 1"
    assert team.champion() == [(BETTER,)]
    refused = team.ganflow(1, "promote", f"{NAME}/{WORSE}")
    assert refused.startswith(f"refused: {NAME} version 1 does not become champion: fid is not better by more than ")
    assert team.champion() == [(BETTER,)]
    assert (team.tags(WORSE)["promotion"], team.tags(BETTER)["promotion"]) == ("refused", "promoted")

    record = artifact(s3, team.tags(WORSE)["promotion.artifact"])
    assert (record["challenger"], record["champion"], record["decision"]) == (WORSE, BETTER, "refused")
    assert record["measured"]["fid"] > record["against"]["fid"]
    assert record["reasons"][0] in refused
    dump = json.dumps([record, team.tags(WORSE), team.tags(BETTER)])
    assert SECRET not in dump

    assert team.ganflow(0, "rollback") == f"rolled back: {NAME} version 1 is champion, no longer 2"
    assert team.champion() == [(WORSE,)]
    assert team.ganflow(2, "rollback") == f"ganflow: {NAME} has had no champion before version 1"


def test_mlflows_own_page_shows_who_is_champion_and_why(team: Team, tmp_path: Path) -> None:
    page = f"{team.server.uri}/#/models/{NAME}"
    BUILD.mkdir(exist_ok=True)
    for name, address, height in (("registry", page, 1400), ("version", f"{page}/versions/{BETTER}", 2400)):
        shot = f"--screenshot={(BUILD / name).resolve()}.png"
        chromium(address, tmp_path, LOADED, shot, width=1700, height=height)
    shown, _ = chromium(page, tmp_path, LOADED, "--dump-dom")
    assert all(f"Version {version}" in shown for version in (WORSE, BETTER, TWIN))
    assert "champion" in shown
    why, _ = chromium(f"{page}/versions/{BETTER}", tmp_path, LOADED, "--dump-dom")
    assert "promotion.reasons" in why
    assert "promoted" in why


def test_of_promotions_at_once_one_wins(team: Team) -> None:
    if team.champion() != [(WORSE,)]:
        team.ganflow(0, "promote", f"{NAME}/{WORSE}")
    before = team.postgres.query(
        "mlflow", "SELECT count(*) FROM model_versions WHERE current_stage <> 'Deleted_Internal'"
    )
    both = {version: team.start("-m", "ganflow.cli", "promote", f"{NAME}/{version}") for version in (BETTER, TWIN)}
    said = {
        version: process.communicate(timeout=patience(300))[0].splitlines()[-1] for version, process in both.items()
    }
    (winner,) = [version for version, process in both.items() if process.returncode == 0]
    (loser,) = {BETTER, TWIN} - {winner}
    assert both[loser].returncode == 1
    assert said[loser].startswith(f"refused: {NAME} version {loser} does not become champion: ")
    assert team.champion() == [(winner,)]
    assert (team.tags(winner)["promotion"], team.tags(loser)["promotion"]) == ("promoted", "refused")
    after = team.postgres.query(
        "mlflow", "SELECT count(*) FROM model_versions WHERE current_stage <> 'Deleted_Internal'"
    )
    assert after[0][0] == before[0][0] + 1  # one change of champion
    team.ganflow(0, "rollback")
    assert team.champion() == [(WORSE,)]


def test_registering_at_once_makes_one_version(team: Team) -> None:
    """The last model again, after its version is gone."""
    digest = json.loads(team.project.read("model/run.json"))["model_digest"]
    client = MlflowClient(team.server.uri)
    client.delete_model_version(NAME, str(TWIN))
    both = [team.start("-m", "pipelines.register") for _ in range(2)]
    said = [process.communicate(timeout=patience(300))[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    found = client.search_model_versions(f"name = '{NAME}' AND tags.model_digest = '{digest}'")
    assert len(found) == 1


def artifact(s3: Swift, uri: str) -> Any:
    """A decision, as S3 has it."""
    run_id, _, path = uri.removeprefix("runs:/").partition("/")
    listed = s3.client().list_objects_v2(Bucket=BUCKET, Prefix="mlflow/")["Contents"]
    wanted = f"{run_id}/artifacts/{path.replace('.html', '.json')}"
    (key,) = [o["Key"] for o in listed if o["Key"].endswith(wanted)]
    assert any(o["Key"].endswith(f"{run_id}/artifacts/{path}") for o in listed)
    return json.loads(s3.client().get_object(Bucket=BUCKET, Key=key)["Body"].read())
