"""A promotion reaches `infra/webhook/deploy.py` through a real MLflow server's own webhook."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from ganflow.config.schema import TrackingConfig
from ganflow.tracking import mlflow_client
from ganflow.tracking.registry.promotion import Promoter
from tests.support.webhook import SECRET, Receiver
from tests.tracking.mlflow_help import MODEL, MlflowServer, config_for
from tests.tracking.registry.test_promotion import promote, registered

pytestmark = pytest.mark.slow

EVENT = "model_version_alias.created"


@pytest.fixture
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrackingConfig]:
    """A server that may call this machine, which MLflow does not allow by itself."""
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOWED_SCHEMES", "http")
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true")
    monkeypatch.setenv("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", Fernet.generate_key().decode())
    running = MlflowServer(tmp_path)
    running.start()
    yield TrackingConfig(uri=running.uri, experiment="webhooks")
    running.stop()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    running = Receiver(MODEL, ["bash", "-c", 'echo "$MODEL $VERSION" >> "$0"', str(tmp_path / "told")])
    yield running
    running.kill()


def test_a_new_champion_is_deployed_and_nothing_else(
    tracking: TrackingConfig, receiver: Receiver, tmp_path: Path
) -> None:
    client = mlflow_client.connect(tracking)
    hook = client.create_webhook("deploy", f"http://{receiver.place}/", [EVENT], secret=SECRET)
    first, second = registered(tracking, tmp_path, 2)  # which sets @challenger
    receiver.wait_for("ignored: of another model, alias or kind")
    promote(tracking, first)
    receiver.wait_for(f"{MODEL} version {first}: bash is done")
    client.set_registered_model_alias(f"{MODEL}.champion", "champion", "1")  # of the ledger
    receiver.wait_for("ignored: of another model, alias or kind")
    promote(tracking, second, fid=0.6)
    receiver.wait_for(f"{MODEL} version {second}: bash is done")
    Promoter(config_for(tracking), MODEL).rollback()
    receiver.wait_for(f"{MODEL} version {first}: bash is done")
    assert client.test_webhook(hook.webhook_id, EVENT).response_status == 200  # MLflow's example of another model
    assert receiver.stop() == 0
    assert (tmp_path / "told").read_text().splitlines() == [f"{MODEL} {version}" for version in (first, second, first)]


def test_a_webhook_with_another_secret_is_refused(tracking: TrackingConfig, receiver: Receiver) -> None:
    client = mlflow_client.connect(tracking)
    hook = client.create_webhook("deploy", f"http://{receiver.place}/", [EVENT], secret=SECRET[::-1])
    assert client.test_webhook(hook.webhook_id, EVENT).response_status == 401
    receiver.wait_for("refused: wrong signature")
