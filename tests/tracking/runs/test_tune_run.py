"""A search's MLflow run, and a store that was away at its end."""

import sqlite3
from pathlib import Path

import pytest

from ganflow.cluster.jobs.ray_tune import SearchResult, Trial
from ganflow.cluster.jobs.trial_files import write_search
from ganflow.config import composition
from ganflow.config.schema import Config, TrackingConfig
from ganflow.tracking import mlflow_client
from ganflow.tracking.runs.tune_run import log_search, reconcile_search, search_name, tracked_search
from tests.tracking.mlflow_help import UNFINISHED, curve, run_of

DIGEST, REPORTS = "ab" * 32, Path("reports/tune")
RESULT = SearchResult("fid", "min", [Trial([], 9.0, 2.0, 1.0, []), Trial(["seed=3"], 7.5, 2.0, 1.0, [])])


@pytest.fixture
def params(tracking: TrackingConfig) -> Config:
    params = composition.compose([])
    params.tracking = tracking
    return params


def searched(params: Config, store: Path, away: bool) -> str:
    """A search that ends while the store answers or is away. Its run."""
    name = search_name(params, DIGEST, "")
    params.tracking.patience_s = 1 if away else 120
    with tracked_search(params, name, DIGEST, UNFINISHED) as run:
        if away:
            rename(store, "metrics", "gone")
        write_search(REPORTS, RESULT)
        log_search(run, "fid", REPORTS)
    return run.run_id


def rename(store: Path, table: str, to: str) -> None:
    with sqlite3.connect(store) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO {to}")


def is_complete(tracking: TrackingConfig, run_id: str) -> None:
    assert curve(tracking, run_id, "trial_fid") == [(0, 9.0), (1, 7.5)]
    assert curve(tracking, run_id, "best_fid") == [(0, 7.5)]
    files = mlflow_client.connect(tracking).list_artifacts(run_id)
    assert sorted(file.path for file in files) == ["best.yaml", "curves.csv", "trials.csv"]
    assert run_of(tracking, run_id).info.status == "FINISHED"
    assert list(UNFINISHED.iterdir()) == []


def test_a_search_is_logged_with_its_files(params: Config, tracking: TrackingConfig, tmp_path: Path) -> None:
    run_id = searched(params, tmp_path / "mlflow.db", away=False)
    is_complete(tracking, run_id)
    reconcile_search(params, DIGEST, "", REPORTS, UNFINISHED)
    run = run_of(tracking, run_id)
    assert len(mlflow_client.connect(tracking).search_runs([run.info.experiment_id])) == 1


@pytest.mark.usefixtures("messages")
def test_a_search_whose_end_the_store_missed_is_logged_when_it_answers(
    params: Config, tracking: TrackingConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = searched(params, tmp_path / "mlflow.db", away=True)  # without an error
    assert capsys.readouterr().err.endswith("; the next training of this project delivers it\n")
    rename(tmp_path / "mlflow.db", "gone", "metrics")
    address, params.tracking.uri = params.tracking.uri, "http://127.0.0.1:9"
    reconcile_search(params, DIGEST, "", REPORTS, UNFINISHED)  # of another server, which does not answer either
    params.tracking.uri = address
    assert run_of(tracking, run_id).info.status == "RUNNING"
    params.tracking.patience_s = 120
    reconcile_search(params, DIGEST, "", REPORTS, UNFINISHED)
    is_complete(tracking, run_id)
