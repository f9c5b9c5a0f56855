"""A project that was moved or copied: its registered models are found, and what is new lies beside its own store."""

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from ganflow.config.schema import TrackingConfig
from ganflow.errors import GanflowError
from ganflow.tracking import mlflow_client, moved_artifacts
from ganflow.tracking.registry import registration
from ganflow.tracking.registry.loader import load_generator
from tests.support import preloaded
from tests.tracking.mlflow_help import EXPERIMENT, MODEL, config_for, open_run, run_of, write_model

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a store and a registered model."""
    folder = tmp_path / "here ü"
    folder.mkdir()
    shutil.copy(preloaded.empty_store(), folder)
    with open_run(store_in(folder)) as run:
        run.text("hello", "note.txt")
    write_model(folder / "model", run.run_id)
    registration.register(config_for(store_in(folder)), folder / "model", {"fid": 1.0})
    return folder


def store_in(folder: Path) -> TrackingConfig:
    return TrackingConfig(uri=f"sqlite:///{folder}/mlflow.db", experiment=EXPERIMENT)


def places(folder: Path) -> set[str]:
    """All places that the store's tables name, but those of the experiment that MLflow makes for itself."""
    columns = {"runs": "artifact_uri", "logged_models": "artifact_location", "model_versions": "storage_location"}
    with sqlite3.connect(folder / "mlflow.db") as store:
        found = [row for table, column in columns.items() for row in store.execute(f"SELECT {column} FROM {table}")]
        found += store.execute(f"SELECT artifact_location FROM experiments WHERE name = '{EXPERIMENT}'").fetchall()
    return {place for (place,) in found if place}


def drawn(folder: Path) -> object:
    return load_generator(f"models:/{MODEL}@challenger", store_in(folder)).sample(5, 3)


@pytest.mark.usefixtures("messages")
def test_after_a_move_models_and_runs_are_found_and_go_on(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = load_generator(str(project / "model"), store_in(project)).sample(5, 3)
    there = tmp_path / "elsewhere" / "b c"
    there.parent.mkdir()
    project.rename(there)
    capsys.readouterr()
    np.testing.assert_array_equal(drawn(there), expected)
    (line,) = capsys.readouterr().err.splitlines()
    moved_from = f"{there}/mlflow.db was moved or copied from {project}"
    assert line == f"ganflow: {moved_from}; its artifacts are those in {there}/mlruns now"
    assert {place.startswith((there / "mlruns").as_uri()) for place in places(there)} == {True}
    with open_run(store_in(there), "beef") as run:
        run.text("new", "note.txt")
    assert (there / "mlruns" / run.run_id / "artifacts" / "note.txt").read_text() == "new"
    assert not project.exists()
    assert capsys.readouterr().err == ""


def test_a_copy_reads_and_writes_its_own(project: Path, tmp_path: Path) -> None:
    before, copy = places(project), tmp_path / "copy"
    shutil.copytree(project, copy)
    with open_run(store_in(copy), "beef") as run:
        run.text("new", "note.txt")
    assert (copy / "mlruns" / run.run_id).is_dir()
    assert not (project / "mlruns" / run.run_id).exists()
    shutil.rmtree(project / "mlruns" / "models")
    assert len(drawn(copy)) == 5  # type: ignore[arg-type]
    assert places(project) == before


def test_a_server_with_a_root_of_its_own_writes_plain_paths_and_they_move_too(project: Path, tmp_path: Path) -> None:
    client = mlflow_client.connect(store_in(project))
    other = client.create_experiment("other", str(project / "mlruns" / "7"))  # as `mlflow server` names it
    run = client.create_run(other)
    client.log_text(run.info.run_id, "x", "x.txt")
    there = project.rename(tmp_path / "there")
    assert run_of(store_in(there), run.info.run_id).info.artifact_uri.endswith(
        f"/there/mlruns/7/{run.info.run_id}/artifacts"
    )
    assert mlflow_client.connect(store_in(there)).list_artifacts(run.info.run_id)[0].path == "x.txt"


def test_artifacts_that_lie_elsewhere_on_purpose_stay_there(project: Path, tmp_path: Path) -> None:
    client = mlflow_client.connect(store_in(project))
    big = client.create_experiment("big", (tmp_path / "disk" / "mlruns").as_uri())
    run = client.create_run(big)
    client.log_text(run.info.run_id, "x", "x.txt")
    assert moved_artifacts.mend(project / "mlflow.db") == 0
    assert run_of(store_in(project), run.info.run_id).info.artifact_uri.startswith((tmp_path / "disk").as_uri())


def test_what_cannot_be_mended_is_one_line(project: Path, tmp_path: Path) -> None:
    there = project.rename(tmp_path / "there")
    (there / "mlflow.db").write_bytes(b"SQLite format 3\0 and then nothing that it is")
    with pytest.raises(
        GanflowError, match=r"there/mlflow\.db was moved, and where its artifacts are cannot be put right: "
    ):
        moved_artifacts.mend(there / "mlflow.db")
    assert moved_artifacts.mend(tmp_path / "nothing.db") == 0
