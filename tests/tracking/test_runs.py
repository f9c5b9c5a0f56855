import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow_help import EXPERIMENT, MlflowServer, config_for, open_run, wait_until, write_model

from ganflow.errors import GanflowError
from ganflow.schema import TrackingConfig
from ganflow.tracking import registry, runs, server


def curve(tracking: TrackingConfig, run_id: str, key: str) -> list[tuple[int, float]]:
    history = server.connect(tracking).get_metric_history(run_id, key)
    return [(metric.step, metric.value) for metric in sorted(history, key=lambda m: (m.step, m.timestamp))]


def run_of(tracking: TrackingConfig, run_id: str) -> Any:
    return server.connect(tracking).get_run(run_id)


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
    [grid] = server.connect(tracking).list_artifacts(run.run_id, runs.SAMPLES)
    assert grid.path == "samples/000000128.png"


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
    with open_run(tracking) as run:
        begin = time.perf_counter()
        for step in range(5000):
            run.metrics({"loss": 0.0}, step)
        assert time.perf_counter() - begin < 2.0
    assert [step for step, _ in curve(tracking, run.run_id, "loss")] == list(range(5000))


def test_an_outage_of_the_server_costs_nothing(mlflow_server: MlflowServer, capfd: pytest.CaptureFixture[str]) -> None:
    tracking = TrackingConfig(uri=mlflow_server.uri, experiment=EXPERIMENT)
    with open_run(tracking, "0ff") as run:
        run.metrics({"loss": 0.0}, 0)
        wait_until(lambda: run_of(tracking, run.run_id).data.metrics.get("loss") == 0.0, "the first point")
        mlflow_server.stop()
        for step in range(1, 2001):
            run.metrics({"loss": float(step)}, step)
        run.image(b"drawn meanwhile", "outage.png")
        told: list[str] = []
        wait_until(_collect(capfd, told, "does not answer"), "the outage is told")
        mlflow_server.start()
        run.metrics({"loss": 2001.0}, 2001)
    _collect(capfd, told, "")()
    assert curve(tracking, run.run_id, "loss") == [(step, float(step)) for step in range(2002)]
    assert [f.path for f in server.connect(tracking).list_artifacts(run.run_id, "samples")] == ["samples/outage.png"]
    lines = [line for line in "".join(told).splitlines() if line.strip()]
    assert sum("does not answer: " in line and "training goes on" in line for line in lines) == 1, lines


def _collect(capfd: pytest.CaptureFixture[str], told: list[str], what: str) -> Callable[[], bool]:
    def found() -> bool:
        told.append(capfd.readouterr().err)
        return what in "".join(told)

    return found


def test_a_server_that_is_gone_at_the_end_is_an_error(
    tracking: TrackingConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(runs, "PATIENCE_S", 0.5)
    run = open_run(tracking)
    with sqlite3.connect(tmp_path / "mlflow.db") as store:
        store.execute("ALTER TABLE metrics RENAME TO gone")
    run.metrics({"loss": 1.0}, 1)
    with pytest.raises(GanflowError, match=f"run {run.run_id}: .* did not arrive: MLflow at sqlite"):
        run.finish()


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
    monkeypatch.setenv(server.URI_VARIABLE, tracking.uri)
    with open_run(TrackingConfig(uri="http://127.0.0.1:9", experiment=EXPERIMENT)) as run:
        pass
    monkeypatch.delenv(server.URI_VARIABLE)
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
    registry.register(config_for(tracking), tmp_path / "model", {"note": uri, "fid": 1.0})
    assert run_of(tracking, run.run_id).data.params["tracking.uri"] == uri.replace(f"me:{secret}", "***")
    written = [p for root in (tmp_path, mlflow_server.folder) for p in root.rglob("*") if p.is_file()]
    assert [p.name for p in written if secret.encode() in p.read_bytes()] == []
    assert secret not in "".join(capfd.readouterr())
    assert server.URI_VARIABLE not in server.os.environ
