"""`ganflow pages`: where MLflow shows this project's experiment and its registered model."""

from collections.abc import Iterator
from urllib.parse import quote

from ganflow.config import params_file
from ganflow.config.schema import Config
from ganflow.terminal.redaction import redact
from ganflow.tracking import mlflow_client

NEWEST_FIRST = "searchFilter=&orderByKey=attributes.start_time&orderByAsc=false"


def pages(at: str | None) -> Iterator[str]:
    """Lines with the addresses.

    Args:
        at: of a server that shows the store, or is about to; None: the store itself, if it is a server.

    Raises:
        GanflowError: no ``params.yaml``, or no answer.
    """
    params = params_file.load()
    base = (at or redact(mlflow_client.uri_of(params.tracking))).rstrip("/")
    if not base.startswith("http"):
        yield f"{base} is a file: `make ui` shows it, and here says where"
        return
    yield from _addresses(base, params)


def _addresses(base: str, params: Config) -> Iterator[str]:
    client = mlflow_client.connect(params.tracking)
    with mlflow_client.telling(mlflow_client.uri_of(params.tracking)):
        experiment = client.get_experiment_by_name(params.tracking.experiment)
        registered = client.search_registered_models(f"name = '{params.register.name}'")
    runs = f"#/experiments/{experiment.experiment_id}/runs?{NEWEST_FIRST}" if experiment else "#/experiments"
    yield f"runs, newest first:  {base}/{runs}"
    yield f"registered model:    {base}/#/models{'/' + quote(params.register.name) if registered else ''}"
