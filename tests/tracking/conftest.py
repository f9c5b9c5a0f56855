import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganflow.config.schema import TrackingConfig
from ganflow.tracking import mlflow_client
from tests.support import preloaded
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


@pytest.fixture
def tracking(tmp_path: Path) -> TrackingConfig:
    shutil.copy(preloaded.empty_store(), tmp_path)
    return TrackingConfig(uri=f"sqlite:///{tmp_path}/mlflow.db", experiment=EXPERIMENT)
