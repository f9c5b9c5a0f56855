"""`ganflow promote`, `rollback` and `champions` on a store: real generators of known order, measured and timed."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from ganflow.cli.app import app
from ganflow.config import composition, params_file
from ganflow.config.schema import Config
from ganflow.data.prepared.dataset import Dataset
from ganflow.errors import ConfigError, GanflowError
from ganflow.methods import generator
from ganflow.tracking import mlflow_client
from ganflow.tracking.registry import registration
from ganflow.tracking.runs import run_record

pytestmark = pytest.mark.slow

NAME = "ganflow-digits"
SETTINGS = (
    "evaluation.extractor.kimg=8", "evaluation.extractor.width=8", "evaluation.resamples=50", "evaluation.samples=400",
    "evaluation/metrics=[fid,coverage]", "promotion.limits.memorised=null", "promotion.first.memorised=null",
    "promotion.first.precision=null", "promotion.first.fid=null", "promotion.first.coverage=0.4",
    "promotion.latency=100",
)  # fmt: skip
SPEC = generator.GeneratorSpec({"name": "mlp", "widths": [64]}, 8, (1, 8, 8), 10, [str(i) for i in range(10)])
BAD, FAIR, GOOD = 1, 2, 3  # versions


def ganflow(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def fitted(data: Dataset, steps: int) -> torch.nn.Module:
    """A generator that has learned for so long to turn a label into its class's mean digit."""
    torch.manual_seed(0)
    network = SPEC.build().train()
    images, labels = torch.from_numpy(data.images(np.arange(len(data)))), torch.from_numpy(np.asarray(data.labels))
    means = torch.stack([images[labels == k].float().mean(0) / 127.5 - 1 for k in range(10)])
    adam = torch.optim.Adam(network.parameters(), lr=0.003)
    for _ in range(steps):
        wanted = torch.randint(10, (128,))
        adam.zero_grad()
        (network(torch.randn(128, 8), wanted) - means[wanted]).square().mean().backward()
        adam.step()
    return network


@pytest.fixture
def settings(tmp_path: Path, digits: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Three versions in a registry, from bad to good, and no champion."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(mlflow_client.URI_VARIABLE, raising=False)
    (tmp_path / "data").symlink_to(digits)
    settings = composition.compose(
        [*SETTINGS, f"cluster.storage={cache}", f"tracking.uri=sqlite:///{tmp_path}/mlflow.db"]
    )
    Path("params.yaml").write_text(params_file.dump(settings))
    client = mlflow_client.connect(settings.tracking)
    experiment = mlflow_client.experiment(client, settings.tracking)
    for version, steps in ((BAD, 0), (FAIR, 40), (GOOD, 800)):
        folder = tmp_path / f"model{version}"
        folder.mkdir()
        generator.save(folder / generator.FILE, fitted(Dataset.open(digits), steps), SPEC)
        run_id = client.create_run(experiment).info.run_id
        digest = run_record.file_digest(folder / generator.FILE)
        run_record.RunRecord(run_id, "e", "f00d", "tests", digest, "ab" * 32).write(folder / run_record.FILE)
        assert registration.register(settings, folder, {}).version == version
    return settings


def champion(settings: Config) -> int | None:
    alias = mlflow_client.connect(settings.tracking).get_registered_model(NAME).aliases.get("champion")
    return None if alias is None else int(alias)


def test_from_the_first_champion_to_a_rollback(settings: Config) -> None:
    client = mlflow_client.connect(settings.tracking)

    refused = ganflow("promote", f"{NAME}/{BAD}")
    assert refused.exit_code == 1, refused.stdout
    assert "FAILS  coverage  coverage is 0." in refused.stdout
    assert refused.stdout.splitlines()[-1].startswith(f"refused: {NAME} version 1 does not become champion: coverage")
    assert champion(settings) is None

    before = Path("mlflow.db").read_bytes()
    dry = ganflow("promote", f"{NAME}/{FAIR}", "--dry-run", "--page", "pages/dry.html")
    assert dry.exit_code == 0, dry.stdout
    said = f"dry run, nothing written; would be promoted: {NAME} version 2 is champion"
    assert dry.stdout.splitlines()[-1] == said
    assert Path("mlflow.db").read_bytes() == before
    assert f"<h1>{NAME} version 2 is champion</h1>" in Path("pages/dry.html").read_text()

    assert ganflow("promote", f"{NAME}/{FAIR}").exit_code == 0
    assert champion(settings) == FAIR

    promoted = ganflow("promote")  # register.name and its alias: the version registered last
    assert promoted.exit_code == 0, promoted.stdout
    lines = promoted.stdout.splitlines()
    assert lines[:2] == [f"challenger: {NAME} version 3", f"champion:   {NAME} version 2"]
    (fid,) = [line.split() for line in lines if line.startswith("fid ")]
    assert float(fid[1]) < float(fid[2])
    assert fid[-1] == "challenger"
    assert [line.split()[:2] for line in lines if line.startswith(("holds", "FAILS"))] == [
        ["holds", "fid"], ["holds", "coverage"], ["holds", "latency_ms"]
    ]  # fmt: skip
    assert lines[-1] == f"promoted: {NAME} version 3 is champion, in place of version 2"
    tags = client.get_model_version(NAME, str(GOOD)).tags
    assert tags["promotion.figures"].startswith(f"fid {fid[1]} against {fid[2]}; coverage ")
    run_id, _, path = tags["promotion.artifact"].removeprefix("runs:/").partition("/")
    record = json.loads(Path(client.download_artifacts(run_id, path.replace(".html", ".json"))).read_text())
    for key in ("samples", "seed", "reference", "extractor", "data"):
        assert record["measured"][key] == record["against"][key]
    assert record["measured"]["latency_ms"] > 0

    again = ganflow("promote")
    assert (again.exit_code, again.stdout) == (0, f"{NAME} version 3 is champion already\n")

    worse = ganflow("promote", f"{NAME}/{FAIR}")
    assert worse.exit_code == 1
    assert "fid is not better by more than noise" in worse.stdout.splitlines()[-1]
    assert champion(settings) == GOOD

    back = ganflow("rollback")
    assert back.stdout == f"rolled back: {NAME} version 2 is champion, no longer 3\n"
    assert champion(settings) == FAIR
    listed = [line.split()[1:4] for line in ganflow("champions").stdout.splitlines()]
    assert listed == [["what", "from", "to"], ["promotion", "–", "2"], ["promotion", "2", "3"], ["rollback", "3", "2"]]
    nothing = ganflow("rollback", NAME)
    assert isinstance(nothing.exception, GanflowError)
    assert str(nothing.exception) == f"{NAME} has had no champion before version 2"


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["promotion.first.precision=0.5"], "promotion.first.precision=0.5: is not measured; there is fid, coverage"),
        (["evaluation.samples=10"], "evaluation.samples=10: must be at least"),
    ],
)
def test_a_gate_that_cannot_be_measured_is_one_line(settings: Config, overrides: list[str], line: str) -> None:
    Path("params.yaml").write_text(params_file.dump(composition.override(settings, overrides)))
    told = ganflow("promote").exception
    assert isinstance(told, ConfigError)
    assert str(told).startswith(line)


def test_before_the_first_promotion(settings: Config) -> None:
    assert ganflow("champions").stdout == f"{NAME} has had no promotion\n"
    told = ganflow("rollback").exception
    assert isinstance(told, GanflowError)
    assert str(told) == f"{NAME} has no champion, so there is none to go back from"
    assert isinstance(ganflow("champions", "nothing").exception, GanflowError)
