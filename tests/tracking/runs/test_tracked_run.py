import contextlib
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ganflow.config.schema import TrackingConfig
from ganflow.errors import GanflowError
from ganflow.tracking import mlflow_client
from ganflow.tracking.registry import registration
from ganflow.tracking.runs import tracked_run
from tests.support.patience import patience
from tests.tracking.mlflow_help import (
    EXPERIMENT,
    UNFINISHED,
    MlflowServer,
    config_for,
    curve,
    open_run,
    run_of,
    wait_until,
    write_model,
)

pytestmark = pytest.mark.slow


def test_a_run_keeps_params_curves_grids_data_and_load(tracking: TrackingConfig) -> None:
    with open_run(tracking, **{"training.batch": 64, "gan.loss.name": "hinge"}) as run:
        run.metrics({"loss/D": 1.5, "loss/G": float("nan")}, step=64)
        run.metrics({"loss/D": 1.25}, step=128)
        run.image(b"a grid", "000000128.png")
        wait_until(lambda: "system/cpu_utilization_percentage" in run_of(tracking, run.run_id).data.metrics, "load")
    logged = run_of(tracking, run.run_id)
    assert logged.info.status == "FINISHED"
    assert logged.data.params == {"training.batch": "64", "gan.loss.name": "hinge"}
    assert logged.data.tags["recipe"] == "tests"
    assert curve(tracking, run.run_id, "loss/D") == [(64, 1.5), (128, 1.25)]
    [data] = logged.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("digits", "ab" * 18)
    [grid] = mlflow_client.connect(tracking).list_artifacts(run.run_id, tracked_run.SAMPLES)
    assert grid.path == "samples/000000128.png"


def test_runs_that_begin_at_once_share_their_data_set(tracking: TrackingConfig) -> None:
    client = mlflow_client.connect(tracking)
    experiment = mlflow_client.experiment(client, tracking)
    runs = [client.create_run(experiment).info.run_id for _ in range(8)]
    for data_set in range(5):  # MLflow looks for it before it adds it, so that all may find that there is none
        data = tracked_run.DataSet(f"set {data_set}", f"{data_set:064x}", "data")
        start = threading.Barrier(len(runs))

        def log(run_id: str, data: tracked_run.DataSet = data, start: threading.Barrier = start) -> None:
            start.wait()
            tracked_run.log_data(client, run_id, data)

        with ThreadPoolExecutor(len(runs)) as pool:
            list(pool.map(log, runs))
    for run_id in runs:
        names = {given.dataset.name for given in client.get_run(run_id).inputs.dataset_inputs}
        assert names == {f"set {data_set}" for data_set in range(5)}


def test_the_same_fingerprint_continues_and_repeats_no_step(tracking: TrackingConfig) -> None:
    first = open_run(tracking, a=1)
    for step in (10, 20, 30):
        first.metrics({"loss": float(step)}, step)
    first.finish("KILLED")
    second = open_run(tracking, a=2, b=3)  # replays from a checkpoint after step 10
    assert second.run_id == first.run_id
    assert run_of(tracking, second.run_id).info.status == "RUNNING"
    for step in (20, 30, 30, 40):
        second.metrics({"loss": -1.0, "new": 0.5}, step)
    second.finish()
    assert curve(tracking, second.run_id, "loss") == [(10, 10.0), (20, 20.0), (30, 30.0), (40, -1.0)]
    assert curve(tracking, second.run_id, "new") == [(20, 0.5), (30, 0.5), (40, 0.5)]
    continued = run_of(tracking, second.run_id)
    assert continued.data.params == {"a": "1", "b": "3"}
    assert len(continued.inputs.dataset_inputs) == 1


def test_a_finished_run_or_another_fingerprint_is_a_new_run(tracking: TrackingConfig) -> None:
    ids = []
    for fingerprint in ("f00d", "f00d", "beef"):
        with open_run(tracking, fingerprint) as run:
            ids.append(run.run_id)
    assert len(set(ids)) == 3


@pytest.mark.parametrize(("error", "status"), [(ZeroDivisionError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_an_exception_ends_the_run_as_what_it_is(
    tracking: TrackingConfig, error: type[BaseException], status: str
) -> None:
    run = open_run(tracking)

    def train() -> None:
        with run:
            run.metrics({"loss": 1.0}, 1)
            raise error

    with pytest.raises(error):
        train()
    assert run_of(tracking, run.run_id).info.status == status
    assert curve(tracking, run.run_id, "loss") == [(1, 1.0)]


def test_logging_does_not_wait(tracking: TrackingConfig) -> None:
    """Whoever waited for the store would wait for ever: it is let go only after the last point was logged."""
    file = tracking.uri.removeprefix("sqlite:///")
    with open_run(tracking) as run, contextlib.closing(sqlite3.connect(file, timeout=patience(60))) as store:
        store.execute("BEGIN EXCLUSIVE")
        for step in range(5000):
            run.metrics({"loss": 0.0}, step)
        assert store.execute("SELECT count(*) FROM metrics WHERE key = 'loss'").fetchone() == (0,)
        store.rollback()
    assert [step for step, _ in curve(tracking, run.run_id, "loss")] == list(range(5000))


def test_a_server_that_is_gone_at_the_end_is_an_error_and_the_same_command_delivers(
    tracking: TrackingConfig, tmp_path: Path
) -> None:
    tracking.patience_s = 1
    run = open_run(tracking)
    run.metrics({"loss": 1.0}, 1)
    wait_until(lambda: curve(tracking, run.run_id, "loss") != [], "the first point")
    rename(tmp_path, "metrics", "gone")
    run.metrics({"loss": 2.0}, 2)
    run.image(b"a grid", "000000002.png")
    with pytest.raises(GanflowError) as told:
        run.finish()
    assert str(told.value).startswith(f"run {run.run_id}: ")
    assert " did not reach MLflow: MLflow at sqlite" in str(told.value)
    assert str(told.value).endswith("; the same command delivers it, and does not train again")
    rename(tmp_path, "gone", "metrics")
    with open_run(tracking) as again:
        for step in (1, 2):  # as the run's history tells it again
            again.metrics({"loss": float(step)}, step)
        again.image(b"a grid", "000000002.png")
    assert again.run_id == run.run_id
    assert curve(tracking, run.run_id, "loss") == [(1, 1.0), (2, 2.0)]
    assert len(mlflow_client.connect(tracking).list_artifacts(run.run_id, tracked_run.SAMPLES)) == 1
    assert run_of(tracking, run.run_id).info.status == "FINISHED"
    assert list(UNFINISHED.iterdir()) == []


def rename(folder: Path, table: str, to: str) -> None:
    with sqlite3.connect(folder / "mlflow.db") as store:
        store.execute(f"ALTER TABLE {table} RENAME TO {to}")


def test_no_server_is_one_line_within_seconds() -> None:
    tracking = TrackingConfig(uri="http://me:hunter2@127.0.0.1:9", experiment=EXPERIMENT)
    begin = time.monotonic()
    with pytest.raises(GanflowError) as told:
        open_run(tracking)
    assert time.monotonic() - begin < 15
    assert str(told.value) == (
        "MLflow at http://***@127.0.0.1:9 does not answer: connection refused; "
        "set MLFLOW_TRACKING_URI or tracking.uri to a server that runs"
    )


def test_the_environment_wins(tracking: TrackingConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(mlflow_client.URI_VARIABLE, tracking.uri)
    with open_run(TrackingConfig(uri="http://127.0.0.1:9", experiment=EXPERIMENT)) as run:
        pass
    monkeypatch.delenv(mlflow_client.URI_VARIABLE)
    assert run_of(tracking, run.run_id).info.status == "FINISHED"


def test_a_planted_secret_reaches_nothing(
    mlflow_server: MlflowServer, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "hunter2-planted"
    uri = mlflow_server.uri.replace("//", f"//me:{secret}@")
    tracking = TrackingConfig(uri=uri, experiment=EXPERIMENT)
    with open_run(tracking, "5ec", **{"tracking.uri": uri, "cluster.storage": f"s3://k:{secret}@b/p"}) as run:
        run.metrics({"loss": 1.0}, 1)
    write_model(tmp_path / "model", run.run_id, seed=5)
    registration.register(config_for(tracking), tmp_path / "model", {"note": uri, "fid": 1.0})
    assert run_of(tracking, run.run_id).data.params["tracking.uri"] == uri.replace(f"me:{secret}", "***")
    written = [p for root in (tmp_path, mlflow_server.folder) for p in root.rglob("*") if p.is_file()]
    assert [p.name for p in written if secret.encode() in p.read_bytes()] == []
    assert secret not in "".join(capfd.readouterr())
    assert mlflow_client.URI_VARIABLE not in mlflow_client.os.environ
