"""The way to MLflow's store: which one, made ready once, and one clear line when it does not answer."""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ganflow.config import project_folder
from ganflow.config.schema import TrackingConfig
from ganflow.errors import GanflowError
from ganflow.terminal.interrupts import held
from ganflow.terminal.redaction import redact
from ganflow.tracking import moved_artifacts

if TYPE_CHECKING:
    from mlflow import MlflowClient

URI_VARIABLE = "MLFLOW_TRACKING_URI"
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "ENDPOINT_NOT_FOUND")

# MLflow waits 120 s per request and tries eight times; a training loop and a person cannot.
_QUIET_AND_SHORT = {
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # it would print the password
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}
_FIRST_CONTACT_S = "15"
_SILENCE = {
    "Connection refused": "connection refused",
    "Connection aborted": "connection lost",
    "Connection reset": "connection lost",
    "timed out": "timed out",
    "Failed to resolve": "no such host",
    "Max retries exceeded": "no connection",
}
_KIND = {"mlflow.experimentKind": "custom_model_development"}  # MLflow opens it as training, not as a chat's traces
_MODEL = Path("model/run.json")
_WAY_OUT = f"set {URI_VARIABLE} or tracking.uri to a server that runs"


def uri_of(config: TrackingConfig) -> str:
    """The store's address; the environment wins over the configuration. It may carry a password.

    A relative path is the project's own, from a copy that DVC made for an experiment, too.
    """
    uri = os.environ.get(URI_VARIABLE) or config.uri
    if (file := _sqlite_file(uri)) is not None:
        scheme, _, path = uri.partition(":///")
        return f"{scheme}:///{project_folder.place(file)}{''.join(path.partition('?')[1:])}"
    local = ":" not in uri and uri != "databricks"
    return str(project_folder.place(uri)) if local else uri


def name_of(config: TrackingConfig) -> str:
    """The store as it is named, without secrets: the same from a copy, and when the project has moved."""
    return redact(os.environ.get(URI_VARIABLE) or config.uri)


def connect(config: TrackingConfig, *, create: bool = True) -> "MlflowClient":
    """An ``MlflowClient`` whose store answers and is initialised.

    Args:
        config: where the store is.
        create: make an SQLite store that is not there yet; readers say False.

    Raises:
        GanflowError: the store does not answer within seconds, or is not there.
    """
    for name, value in _QUIET_AND_SHORT.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    uri = uri_of(config)
    for noisy in ("urllib3.connectionpool", "alembic", "mlflow.store", "mlflow.pyfunc"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    _make_default(uri)
    try:
        with _initialising(uri, create), _hurried():
            client = MlflowClient(tracking_uri=uri)
            client.search_experiments(max_results=1)
    except MlflowException as error:
        raise unreachable(uri, error) from None
    return client


def experiment(client: "MlflowClient", config: TrackingConfig) -> str:
    """The experiment's id; makes it, and brings it back if someone deleted it."""
    from mlflow.exceptions import MlflowException

    with telling(uri_of(config)):
        existing = client.get_experiment_by_name(config.experiment)
        if existing is None:
            try:
                return str(client.create_experiment(config.experiment, _artifacts_beside(uri_of(config)), _KIND))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                existing = client.get_experiment_by_name(config.experiment)
                assert existing is not None
        if existing.lifecycle_stage == "deleted":
            client.restore_experiment(existing.experiment_id)
        return str(existing.experiment_id)


@contextlib.contextmanager
def telling(uri: str) -> Iterator[None]:
    """Turn MLflow's failures into one line about the store at ``uri``."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise unreachable(uri, error) from None


def again_after_a_clash(write: Callable[[], object]) -> None:
    """Write what several may write at once: MLflow looks whether a row is there, and then another has made it.

    The second time it is found.
    """
    from mlflow.exceptions import MlflowException

    try:
        write()
    except MlflowException as error:
        if error.error_code != "BAD_REQUEST":  # of the database: a constraint that does not hold
            raise
        write()


@contextlib.contextmanager
def absent_is_fine() -> Iterator[None]:
    """Go on where MLflow does not have what was to be changed."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code not in ABSENT:
            raise


def put(write: Callable[..., object], *values: str) -> None:
    """Set a tag or an alias through one of the client's methods.

    MLflow's store looks whether it is there, then inserts it: of two processes that set a new one at the same moment
    one is refused. It is there then, and a second try sets it.
    """
    from mlflow.exceptions import MlflowException

    try:
        write(*values)
    except MlflowException as error:
        if error.error_code != "BAD_REQUEST":  # what the store makes of its database's refusals
            raise
        write(*values)


def unreachable(uri: str, error: Exception) -> GanflowError:
    """The error for a failure of MLflow: where, why in short, and the way out."""
    text = " ".join(str(error).split())
    if "error responses" in text:  # the last of several 5xx
        return GanflowError(f"MLflow at {redact(uri)} answers with errors only; is its artifact store up?")
    for marker, why in _SILENCE.items():
        if marker in text:
            return GanflowError(f"MLflow at {redact(uri)} does not answer: {why}; {_WAY_OUT}")
    return GanflowError(f"MLflow at {redact(uri)} failed: {reason(error)}")


def way_there() -> str:
    """The end of a line about something that is not registered, where its model may stand in this checkout."""
    return f"; `ganflow register` puts the model in {_MODEL.parent}/ there" if _MODEL.is_file() else ""


def reason(error: Exception) -> str:
    """The message of an error, in one short line without secrets."""
    text = redact(" ".join(str(error).split())).removeprefix("RESOURCE_DOES_NOT_EXIST: ").rstrip(".")
    return text if len(text) <= 300 else text[:299] + "…"


def _make_default(uri: str) -> None:
    """MLflow looks registered models' sources up in its process-wide store, whatever its client was given.

    Setting it also writes the environment, and with it a password into every child process: that is taken back.
    """
    import mlflow

    before = os.environ.get(URI_VARIABLE)
    mlflow.set_tracking_uri(uri)
    if before is None:
        os.environ.pop(URI_VARIABLE, None)


@contextlib.contextmanager
def _hurried() -> Iterator[None]:
    """A shorter time-out for the first contact."""
    name = "MLFLOW_HTTP_REQUEST_TIMEOUT"
    before = os.environ[name]
    os.environ[name] = _FIRST_CONTACT_S
    try:
        yield
    finally:
        os.environ[name] = before


@contextlib.contextmanager
def _initialising(uri: str, create: bool) -> Iterator[None]:
    """Let one process at a time make the tables of a SQLite file: parallel first use races in MLflow."""
    from filelock import FileLock

    file = _sqlite_file(uri)
    if file is None:
        yield
        return
    if not create and not file.is_file():
        raise GanflowError(f"no MLflow store at {file}; `dvc repro` makes it, or {_WAY_OUT}{way_there()}")
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{file}.lock"), held():  # MLflow does not go on with half of the tables
        moved_artifacts.mend(file)
        yield


def _sqlite_file(uri: str) -> Path | None:
    scheme, _, path = uri.partition(":///")
    return Path(path.partition("?")[0]) if scheme == "sqlite" and path else None


def _artifacts_beside(uri: str) -> str | None:
    """Artifacts of a SQLite store lie beside its file, wherever the command runs; a server decides for itself."""
    file = _sqlite_file(uri)
    return (file.resolve().parent / moved_artifacts.FOLDER).as_uri() if file else None
