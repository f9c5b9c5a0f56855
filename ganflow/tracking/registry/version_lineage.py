"""From a registered version back to what made it, and from data on to every version that was trained on them."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganflow.config.schema import TrackingConfig
from ganflow.errors import GanflowError
from ganflow.terminal.redaction import redact
from ganflow.tracking import mlflow_client
from ganflow.tracking.registry import logged_model, provenance
from ganflow.tracking.registry.loader import absent, version_of
from ganflow.tracking.registry.provenance import Origin
from ganflow.tracking.registry.registration import DIGEST, METRIC, ORIGINAL_RUN

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

FORMS = "models:/NAME@ALIAS or models:/NAME/3"
_PAGE = 200


@dataclass(frozen=True)
class Trace:
    """A version and all that is known of how it came about. A tag that was never written is not in ``tags``."""

    name: str
    version: int
    aliases: list[str]
    created: str  # UTC, to the second
    run_id: str
    run: Mapping[str, str]  # name, experiment, start, status
    tags: Mapping[str, str]
    origin: Origin

    @property
    def uri(self) -> str:
        """Its address."""
        return f"models:/{self.name}/{self.version}"

    @property
    def metrics(self) -> dict[str, str]:
        """The figures of its evaluation and their protocol, as they were written."""
        return {key.removeprefix(METRIC): value for key, value in self.tags.items() if key.startswith(METRIC)}

    def sections(self) -> dict[str, dict[str, object]]:
        """For people and programs: by topic, in reading order; what is not known is left out."""
        tags, best = self.tags, self.origin.best or {}
        settings = {key: value for key, value in best.items() if key not in ("overrides", "trials")}
        by_title: dict[str, dict[str, object]] = {
            "version": {"model": self.uri, "aliases": ", ".join(self.aliases), "created": self.created,
                        "weights (sha256)": tags.get(DIGEST)},
            "run": {"id": self.run_id, "stands for": tags.get(ORIGINAL_RUN), **self.run,
                    "Ray run": tags.get("ray_run")},
            "code": {"commit": tags.get("git_commit"), "recipe": tags.get("recipe"),
                     "fingerprint": tags.get("fingerprint"), "environment": tags.get("environment")},
            "data": {"md5": tags.get("data_md5"), "path": tags.get("data_path"), "digest": tags.get("data_digest")},
            "search": {"trials": best.get("trials"), **settings, "changes": " ".join(best.get("overrides") or ())},
            "figures": dict(sorted(self.metrics.items())),
        }  # fmt: skip
        filled = {title: {k: v for k, v in facts.items() if v not in (None, "")} for title, facts in by_title.items()}
        return {title: facts for title, facts in filled.items() if facts}


def trace(client: "MlflowClient", uri: str, config: TrackingConfig) -> Trace:
    """The run, code, data and parameters that made a version.

    Args:
        client: of :func:`ganflow.tracking.mlflow_client.connect`.
        uri: ``models:/NAME@ALIAS`` or ``models:/NAME/3``.
        config: where MLflow is.

    Raises:
        GanflowError: no such version, or no answer.
    """
    from mlflow.exceptions import MlflowException

    scheme, _, rest = uri.partition(":/")
    store = mlflow_client.uri_of(config)
    with mlflow_client.telling(store):
        try:
            version = version_of(client, rest.strip("/")) if scheme == "models" else None
        except MlflowException as error:
            raise absent(client, uri, rest.strip("/"), store, error) from None
        if version is None:
            raise GanflowError(f"{uri} names no registered version; give {FORMS}")
        run_id = logged_model.run_id(version)
        return Trace(
            version.name, int(version.version), sorted(version.aliases), _utc(version.creation_timestamp),
            run_id, _run(client, run_id), dict(version.tags), provenance.fetch(client, run_id, store),
        )  # fmt: skip


def trained_on(client: "MlflowClient", md5: str, config: TrackingConfig) -> "list[ModelVersion]":
    """MLflow's versions, of whatever name, that were trained on data of this md5 or with this beginning of it.

    Raises:
        GanflowError: something that is no md5, or no answer.
    """
    if not md5 or not all(letter in "0123456789abcdef" for letter in md5.removesuffix(".dir")):
        raise GanflowError(f"--data {md5}: no md5; `dvc.lock` has the one of the data that are here")
    with mlflow_client.telling(mlflow_client.uri_of(config)):
        versions: list[ModelVersion] = []
        token = None
        while True:
            page = client.search_model_versions(f"tags.data_md5 LIKE '{md5}%'", max_results=_PAGE, page_token=token)
            versions += page
            token = page.token
            if not token:
                return sorted(versions, key=lambda version: (version.name, int(version.version)))


def _run(client: "MlflowClient", run_id: str) -> dict[str, str]:
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
        experiment = client.get_experiment(run.info.experiment_id).name
    except MlflowException as error:
        if error.error_code not in mlflow_client.ABSENT:
            raise
        return {"status": "deleted"}
    gone = "deleted" if run.info.lifecycle_stage == "deleted" else run.info.status.lower()
    return {"name": redact(run.info.run_name), "experiment": experiment, "began": _utc(run.info.start_time),
            "status": gone}  # fmt: skip


def _utc(milliseconds: int) -> str:
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
