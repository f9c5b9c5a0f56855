"""The weights that `training.start` names: out of the registry, a run, a folder or a file."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ganflow.config import composition
from ganflow.config.schema import Config, TrackingConfig
from ganflow.data.prepared.dataset import Facts
from ganflow.errors import ConfigError, GanflowError
from ganflow.methods import generator
from ganflow.methods.players import players_file
from ganflow.methods.start import Start
from ganflow.tracking.registry import registration
from ganflow.tracking.registry.loader import load_start
from ganflow.tracking.runs import run_record
from tests.tracking.mlflow_help import MODEL, SPEC, config_for, open_run, write_model

FACTS = Facts((1, 8, 8), 3)
PLAYERS = {"G": {"a": torch.arange(3.0)}, "D": {"b.c": torch.ones(2, 2)}}


def params(tracking: TrackingConfig, start: str) -> Config:
    config = composition.compose(
        ["gan/generator=mlp", "gan.generator.widths=[16]", "gan.latent_dim=4", f"training.start={start}"]
    )
    return replace(config, tracking=tracking)


def made(folder: Path, run_id: str, players: bool) -> run_record.RunRecord:
    record = write_model(folder, run_id)
    if players:
        players_file.save(folder / players_file.FILE, PLAYERS)
        record = replace(record, players_digest=run_record.file_digest(folder / players_file.FILE))
        record.write(folder / run_record.FILE)
    return record


def found(tracking: TrackingConfig, start: str) -> Start:
    weights = load_start(params(tracking, start), FACTS)
    assert weights is not None
    return weights


@pytest.mark.slow
@pytest.mark.parametrize("players", [True, False])
def test_out_of_the_registry(players: bool, tracking: TrackingConfig, tmp_path: Path) -> None:
    with open_run(tracking) as run:
        made(tmp_path / "model", run.run_id, players)
    registration.register(config_for(tracking), tmp_path / "model", {"fid": 1.0})
    expected = generator.load(tmp_path / "model" / generator.FILE).network.state_dict()
    for uri in (f"models:/{MODEL}@challenger", f"models:/{MODEL}/1", f"runs:/{run.run_id}"):
        start = found(tracking, uri)
        assert start.source == (uri if uri.startswith("runs") else f"models:/{MODEL}/1")
        assert all(torch.equal(start.average[name], tensor) for name, tensor in expected.items())
        assert set(start.players) == (set(PLAYERS) if players else set())
        assert all(torch.equal(start.players[p][n], t) for p in start.players for n, t in PLAYERS[p].items())
    with pytest.raises(GanflowError, match=f"models:/{MODEL}/7 is not on "):
        found(tracking, f"models:/{MODEL}/7")


@pytest.mark.slow
def test_players_that_were_changed_in_the_store_are_refused(tracking: TrackingConfig, tmp_path: Path) -> None:
    with open_run(tracking) as run:
        made(tmp_path / "model", run.run_id, players=True)
    registration.register(config_for(tracking), tmp_path / "model", {"fid": 1.0})
    (stored,) = [path for path in tmp_path.rglob(players_file.FILE) if path.parent != tmp_path / "model"]
    players_file.save(stored, {"G": {"a": torch.zeros(3)}})
    with pytest.raises(GanflowError, match=r"not those that were registered \(players_digest differs\)"):
        found(tracking, f"models:/{MODEL}@challenger")


NOWHERE = TrackingConfig(uri="http://127.0.0.1:9", experiment="none")  # no MLflow is asked for a file


@pytest.mark.parametrize("name", ["", f"/{generator.FILE}"])
def test_a_folder_or_a_file(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    made(tmp_path / "theirs", "a run", players=True)
    start = found(NOWHERE, f"{tmp_path}/theirs{name}")
    assert set(start.players) == set(PLAYERS)
    assert start.source == f"{tmp_path}/theirs{name}"
    parts = "the average of its generator, its D, its G"
    assert caplog.messages == [f"the training begins with {tmp_path}/theirs{name}: {parts}"]


def test_none_is_named_by_default() -> None:
    assert load_start(composition.compose(), FACTS) is None


def test_the_project_s_own_model_is_refused_for_the_stage_empties_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made(tmp_path / "model", "a run", players=False)
    for name in ("model", f"model/{generator.FILE}", str(tmp_path / "model")):
        with pytest.raises(ConfigError) as refused:
            found(NOWHERE, name)
        assert str(refused.value).startswith(f"training.start={name}: `dvc repro` empties it first; name a copy of it")


def test_what_does_not_fit_is_refused_before_any_work(tmp_path: Path) -> None:
    made(tmp_path / "theirs", "a run", players=False)
    assert SPEC.shape == FACTS.shape
    config = composition.compose(["gan/generator=dcgan", f"training.start={tmp_path}/theirs"])
    with pytest.raises(ConfigError, match=r"its generator is a mlp, and .*; set gan/generator=mlp"):
        load_start(config, FACTS)
