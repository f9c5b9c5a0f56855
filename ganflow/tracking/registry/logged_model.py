"""A run's model in MLflow: files that are complete or not there, and an output of the run."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ganflow.report.model_card import Card
from ganflow.tracking.registry import model_package
from ganflow.tracking.runs import run_record
from ganflow.tracking.runs.run_record import DIGEST, PLAYERS_DIGEST

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion


def model_id(version: "ModelVersion") -> str:
    """The logged model behind MLflow's entity of a version; empty if it was registered in another way.

    The entity's own ``model_id`` is None on SQL stores.
    """
    scheme, _, name = str(version.source).partition(":/")
    name = name.strip("/")
    return name if scheme == "models" and name.startswith("m-") and "/" not in name else ""


def run_id(version: "ModelVersion") -> str:
    """The run that MLflow's entity of a version came of; empty if it was registered without one."""
    return version.run_id or ""


def logged_model(
    client: "MlflowClient", run: "Run", record: run_record.RunRecord, weights: Path, card: Card
) -> "LoggedModel":
    """The run's logged model of these weights, with its files; one that was begun is completed."""
    begun = client.search_logged_models(
        [run.info.experiment_id],
        f"source_run_id = '{run.info.run_id}' AND tags.`{DIGEST}` = '{record.model_digest}'",
        max_results=1,
    )
    model = begun[0] if begun else _begin_model(client, run, record)
    if model.status.value != "READY":
        with tempfile.TemporaryDirectory() as staged:
            folder = Path(staged, "model")
            model_package.write(folder, weights, model.model_id, run.info.run_id, card)
            client.log_model_artifacts(model.model_id, str(folder))
        model = client.finalize_logged_model(model.model_id, "READY")
    return model


def _begin_model(client: "MlflowClient", run: "Run", record: run_record.RunRecord) -> "LoggedModel":
    return client.create_logged_model(
        experiment_id=run.info.experiment_id,
        name=model_package.NAME,
        source_run_id=run.info.run_id,
        tags={DIGEST: record.model_digest} | ({PLAYERS_DIGEST: record.players_digest} if record.players_digest else {}),
        params=dict(run.data.params),
        model_type="generator",
    )


def link(client: "MlflowClient", version: "ModelVersion") -> None:
    """Make the version's logged model an output of its run."""
    from mlflow.entities import LoggedModelOutput
    from mlflow.exceptions import MlflowException

    def linked() -> bool:
        outputs = client.get_run(run_id(version)).outputs
        return any(output.model_id == model_id(version) for output in (outputs.model_outputs if outputs else ()))

    if not model_id(version) or linked():
        return
    try:
        client.log_outputs(run_id(version), [LoggedModelOutput(model_id(version), step=0)])
    except MlflowException:
        if not linked():  # by another process meanwhile
            raise
