"""A generator from wherever it is: the registry, a run, a file. Only the weights are fetched; no code, no pickle."""

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ganflow.config import params_file, project_folder
from ganflow.config.schema import Config, TrackingConfig
from ganflow.data.prepared.dataset import Facts
from ganflow.errors import GanflowError, require
from ganflow.methods import generator
from ganflow.methods.players import players_file
from ganflow.methods.start import Start
from ganflow.terminal.redaction import redact
from ganflow.tracking import mlflow_client
from ganflow.tracking.registry import checkout, logged_model, model_package
from ganflow.tracking.runs import run_record

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.exceptions import MlflowException

logger = logging.getLogger(__name__)

DIGESTS = {model_package.WEIGHTS: run_record.DIGEST, model_package.PLAYERS: run_record.PLAYERS_DIGEST}  # tags
FORMS = "models:/NAME@ALIAS, models:/NAME/3, models:/m-ID, runs:/RUN_ID, or a file"


def load_generator(uri: str, config: TrackingConfig, device: str = "cpu") -> generator.Generator:
    """A generator, ready to sample.

    Args:
        uri: ``models:/name@alias``, ``models:/name/3``, ``models:/m-id``, ``runs:/id`` (the model that this run
            logged), a safetensors file or a folder with one.
        config: where MLflow is; not asked for a local file.
        device: where the network goes.

    Raises:
        GanflowError: no such model, version, alias, run or file; no answer; weights that are not those registered.
    """
    scheme, _, rest = uri.partition(":/")
    if is_local(uri):
        return generator.load(_local(uri), device)
    client = mlflow_client.connect(config, create=False)
    with mlflow_client.telling(mlflow_client.uri_of(config)):
        model = _named(client, uri, rest.strip("/"), mlflow_client.uri_of(config), in_run=scheme == "runs")
        with tempfile.TemporaryDirectory() as folder:
            return generator.load(_fetch(uri, model, mlflow_client.uri_of(config), Path(folder)), device)


def tracking_of(uri: str) -> TrackingConfig:
    """The MLflow store that ``params.yaml`` names, if there is such a file and the address needs one."""
    if uri.startswith(("models:", "runs:")) and params_file.PARAMS.is_file():
        return params_file.load().tracking
    return TrackingConfig(experiment="")


def load_start(params: Config, facts: Facts) -> Start | None:
    """The weights that ``training.start`` names, from the same places as :func:`load_generator`; None: fresh ones.

    Raises:
        GanflowError: as there; or nothing of them fits the generator for these data.
    """
    uri = params.training.start
    if not uri:
        return None
    start = _local_start(uri) if is_local(uri) else _registered_start(uri, params.tracking)
    start.check(params, facts)
    parts = ", ".join(["the average of its generator", *(f"its {player}" for player in start.players)])
    logger.info(f"the training begins with {start.source}: {parts}")
    return start


def _local_start(uri: str) -> Start:
    written = project_folder.place(str(checkout.MODEL)).resolve()
    way = "`dvc repro` empties it first; name a copy of it, or register it and name models:/NAME@ALIAS"
    require(written not in (Path(uri).resolve(), *Path(uri).resolve().parents), "training.start", uri, way)
    weights = _local(uri)
    players = weights.with_name(players_file.FILE)
    return Start.of(uri, weights, players if players.is_file() else None)


def _registered_start(uri: str, config: TrackingConfig) -> Start:
    client, store = mlflow_client.connect(config, create=False), mlflow_client.uri_of(config)
    scheme, _, rest = uri.partition(":/")
    with mlflow_client.telling(store), tempfile.TemporaryDirectory() as folder:
        model = _named(client, uri, rest.strip("/"), store, in_run=scheme == "runs")
        weights = _fetch(uri, model, store, Path(folder))
        has_players = run_record.PLAYERS_DIGEST in model.tags
        players = _fetch(uri, model, store, Path(folder), model_package.PLAYERS) if has_players else None
        return Start.of(fixed(uri, config), weights, players)


def fixed(uri: str, config: TrackingConfig) -> str:
    """An address that never means another model: the version behind an alias; anything else as it is.

    Raises:
        GanflowError: no such model or alias, or no answer.
    """
    from mlflow.exceptions import MlflowException

    scheme, _, rest = uri.partition(":/")
    rest = rest.strip("/")
    if scheme != "models" or "@" not in rest:
        return uri
    client = mlflow_client.connect(config, create=False)
    with mlflow_client.telling(mlflow_client.uri_of(config)):
        try:
            version = version_of(client, rest)
        except MlflowException as error:
            raise absent(client, uri, rest, mlflow_client.uri_of(config), error) from None
    assert version is not None
    return f"models:/{version.name}/{version.version}"


def is_local(uri: str) -> bool:
    """True of an address that MLflow is not asked for."""
    return not uri.startswith(("models:/", "runs:/"))


def _local(uri: str) -> Path:
    path = Path(uri)
    if path.is_dir():
        path /= generator.FILE
    if not path.is_file():
        raise GanflowError(f"no generator at {uri}; give {FORMS}")
    return path


def _named(client: "MlflowClient", uri: str, rest: str, store: str, *, in_run: bool) -> "LoggedModel":
    """MLflow's logged model of ``uri``."""
    from mlflow.exceptions import MlflowException

    try:
        return _of_run(client, rest) if in_run else client.get_logged_model(_model_id(client, uri, rest))
    except MlflowException as error:
        raise absent(client, uri, rest, store, error) from None


def absent(client: "MlflowClient", uri: str, rest: str, store: str, error: "MlflowException") -> Exception:
    """The error for a ``uri`` that MLflow does not have, with what may have been meant, if that is it."""
    if error.error_code not in (*mlflow_client.ABSENT, "INVALID_PARAMETER_VALUE"):
        return error
    why = f"{mlflow_client.reason(error)}{_offer(client, rest)}{mlflow_client.way_there()}"
    return GanflowError(f"{uri} is not on {redact(store)}: {why}")


def version_of(client: "MlflowClient", rest: str) -> "ModelVersion | None":
    """MLflow's registered version of ``NAME@ALIAS`` or ``NAME/3``; None for what has another form."""
    name, at, alias = rest.partition("@")
    if at:
        return client.get_model_version_by_alias(name, alias)
    name, slash, number = rest.partition("/")
    return client.get_model_version(name, number) if slash and number.isdecimal() else None


def _model_id(client: "MlflowClient", uri: str, rest: str) -> str:
    version = version_of(client, rest)
    if version is not None:
        name, _, alias = rest.partition("@")
        checkout.tell_if_other(name, alias, version)
        return _id_of(version, uri)
    if "/" not in rest and rest.startswith("m-"):
        return rest
    raise GanflowError(f"{uri}: no form of a model's address; give {FORMS}")


def _id_of(version: "ModelVersion", uri: str) -> str:
    model_id = logged_model.model_id(version)
    if not model_id:
        raise GanflowError(f"{uri} was not registered by ganflow: its version has no logged model")
    return model_id


def _of_run(client: "MlflowClient", rest: str) -> "LoggedModel":
    run = client.get_run(rest.partition("/")[0])
    models = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'")
    ready = [model for model in models if model.status.value == "READY"]
    if not ready:
        raise GanflowError(f"runs:/{rest}: this run has logged no model; `dvc repro register` does")
    return max(ready, key=lambda model: model.creation_timestamp)


def _offer(client: "MlflowClient", rest: str) -> str:
    """Suggestions for a mistyped address."""
    name = rest.partition("@")[0].partition("/")[0]
    models = client.search_registered_models(max_results=10)
    for model in models:
        if model.name == name:
            aliases = [f"@{alias}" for alias in model.aliases]
            versions = [v.version for v in client.search_model_versions(f"name = '{name}'", max_results=10)]
            return f"; {name} has {', '.join([*aliases, *map(str, sorted(versions, key=int))])}"
    return f"; registered are {', '.join(model.name for model in models) or 'no models yet'}"


def _fetch(uri: str, model: "LoggedModel", store: str, folder: Path, name: str = model_package.WEIGHTS) -> Path:
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    try:
        address = f"{model.artifact_location.rstrip('/')}/{name}"
        path = Path(download_artifacts(artifact_uri=address, dst_path=str(folder), tracking_uri=store))
    except (MlflowException, OSError) as error:
        raise GanflowError(f"{uri}: its weights cannot be fetched: {mlflow_client.reason(error)}") from None
    expected = model.tags.get(DIGESTS[name])
    if expected and run_record.file_digest(path) != expected:
        raise GanflowError(f"{uri}: its weights are not those that were registered ({DIGESTS[name]} differs)")
    return path
