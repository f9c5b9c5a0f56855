"""What somebody planted in MLflow's artifact store is refused in one line, and code in it is not run."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ganflow.config.schema import TrackingConfig
from ganflow.errors import GanflowError
from ganflow.methods import generator
from ganflow.tracking import mlflow_client
from ganflow.tracking.registry import registration
from ganflow.tracking.registry.loader import load_generator
from ganflow.tracking.registry.version_lineage import trace as trace_of
from tests.support.poison import pickled, saved, sha256
from tests.tracking.mlflow_help import MODEL, MlflowServer, config_for, open_run, write_model

pytestmark = pytest.mark.slow

URI = f"models:/{MODEL}@challenger"


@pytest.fixture
def trace(tmp_path: Path) -> Iterator[Path]:
    """What a trap leaves when it was read; nothing did."""
    yield tmp_path / "trace"
    assert not (tmp_path / "trace").exists()


@pytest.fixture
def tracking(mlflow_server: MlflowServer) -> TrackingConfig:
    """A server that keeps the artifacts itself."""
    return TrackingConfig(uri=mlflow_server.uri, experiment="poisoned")


def registered(tracking: TrackingConfig, folder: Path) -> registration.Version:
    with open_run(tracking) as run:
        run_id = run.run_id
    write_model(folder / "model", run_id)
    return registration.register(
        config_for(tracking), folder / "model", {"fid": 1.0}, made_from={"origin/best.yaml": "{}"}
    )


def stored(server_folder: Path, part: str, name: str) -> Path:
    """The one file of a run or a logged model in the artifact store."""
    (path,) = (p for p in (server_folder / "artifacts").rglob(name) if part in p.parts)
    return path


def refused(action: Callable[[], Any]) -> str:
    with pytest.raises(GanflowError) as told:
        action()
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize("write", [saved, pickled])
def test_weights_of_a_registered_model(
    write: Callable[[Path], bytes], mlflow_server: MlflowServer, tracking: TrackingConfig, trace: Path, tmp_path: Path
) -> None:
    version = registered(tracking, tmp_path)
    content = write(trace)
    stored(mlflow_server.folder, version.model_id, generator.FILE).write_bytes(content)
    assert refused(lambda: load_generator(URI, tracking)) == (
        f"{URI}: its weights are not those that were registered (model_digest differs)"
    )
    client = mlflow_client.connect(tracking)  # whoever writes there may have written the tag, too
    client.set_logged_model_tags(version.model_id, {registration.DIGEST: sha256(content)})
    assert ": no readable generator: " in refused(lambda: load_generator(URI, tracking))


def test_yaml_that_a_run_keeps(
    mlflow_server: MlflowServer, tracking: TrackingConfig, trace: Path, tmp_path: Path
) -> None:
    version = registered(tracking, tmp_path)
    kept = stored(mlflow_server.folder, version.run_id, "best.yaml")
    kept.write_text(f"trials: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [{trace}]]")
    line = refused(lambda: trace_of(mlflow_client.connect(tracking), URI, tracking))
    assert "best.yaml is not valid YAML: could not determine a constructor for the tag" in line
