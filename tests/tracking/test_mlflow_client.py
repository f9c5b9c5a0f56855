"""`ganflow.tracking.mlflow_client`: what it makes of a store that refuses."""

from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.orm import Session

from ganflow.config.schema import TrackingConfig
from ganflow.tracking import mlflow_client
from tests.tracking.mlflow_help import MODEL

pytestmark = pytest.mark.slow


@pytest.fixture
def client(tracking: TrackingConfig) -> MlflowClient:
    client: MlflowClient = mlflow_client.connect(tracking)
    client.create_registered_model(MODEL)
    for _ in range(2):
        client.create_model_version(MODEL, "file:///nowhere")
    return client


WRITES = {
    "set_model_version_tag": (MODEL, "1", "key"),
    "set_registered_model_tag": (MODEL, "key"),
    "set_registered_model_alias": (MODEL, "champion"),
}


def values(client: MlflowClient) -> list[str]:
    """What was set, wherever it was."""
    model = client.get_registered_model(MODEL)
    tags = client.get_model_version(MODEL, "1").tags
    return [str(value) for value in (*tags.values(), *model.tags.values(), *model.aliases.values())]


@pytest.mark.parametrize("name", WRITES)
def test_what_another_set_between_the_store_s_look_and_its_insert_is_set_again(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write, look, others = getattr(client, name), Session.merge, ["1"]

    def interrupted(self: Session, instance: Any) -> Any:
        found = look(self, instance)
        if others:
            write(*WRITES[name], others.pop())
            assert values(client) == ["1"]
        return found

    monkeypatch.setattr(Session, "merge", interrupted)
    mlflow_client.put(write, *WRITES[name], "2")
    assert values(client) == ["2"]


def test_what_is_refused_for_another_reason_is_not_said_twice(client: MlflowClient) -> None:
    said = []

    def write(*texts: str) -> None:
        said.append(texts)
        client.set_model_version_tag(*texts)

    with pytest.raises(MlflowException, match="not found"):
        mlflow_client.put(write, MODEL, "9", "key", "value")
    assert len(said) == 1
