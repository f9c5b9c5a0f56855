import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganflow.config.schema import TrackingConfig
from ganflow.tracking import mlflow_client
from tests.tracking.mlflow_help import EXPERIMENT, MlflowServer


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(mlflow_client.URI_VARIABLE, raising=False)


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    running = MlflowServer(tmp_path_factory.mktemp("server"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initialised SQLite store to copy: making its tables takes seconds."""
    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow_client.connect(TrackingConfig(uri=f"sqlite:///{file}", experiment=EXPERIMENT))
    return file


@pytest.fixture
def tracking(tmp_path: Path, empty_store: Path) -> TrackingConfig:
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return TrackingConfig(uri=f"sqlite:///{tmp_path}/mlflow.db", experiment=EXPERIMENT)
