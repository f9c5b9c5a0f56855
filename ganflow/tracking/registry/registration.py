"""The registry: a trained generator becomes a version of a registered model, once.

Every step looks for what an earlier, interrupted try left, so that running it again makes it whole without doubles.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ganflow.config.schema import Config
from ganflow.errors import GanflowError, require
from ganflow.methods import generator
from ganflow.report.model_card import Card
from ganflow.tracking import mlflow_client
from ganflow.tracking.registry import model_files
from ganflow.tracking.registry.logged_model import link, logged_model, model_id, run_id
from ganflow.tracking.runs import adopted_run, run_record
from ganflow.tracking.runs.flat_params import clean_key, loggable
from ganflow.tracking.runs.run_record import DIGEST as DIGEST

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

ORIGINAL_RUN = "original_run"  # tag of a version whose run takes the place of the one that trained
DECISION = "promotion"  # tag of a version: what the gate said last; prefix of those that say more
METRIC = "metric."  # prefix of a version's tags that are figures
EVALUATION = "evaluation/"  # prefix of the same figures among the run's metrics, and folder of its files


@dataclass(frozen=True)
class Version:
    """A version of a registered model."""

    name: str
    version: int
    alias: str
    run_id: str
    digest: str  # sha256 of the weights
    model_id: str  # MLflow's logged model
    created: bool  # False: it was there already
    pointed: int  # the version that the alias points to by now


@dataclass(frozen=True)
class Pointing:
    """An alias that a registration sets."""

    alias: str
    takes: bool = True  # False: a version that was there already does not take it from another


def register(
    config: Config,
    model_dir: Path,
    metrics: Mapping[str, object],
    files: Sequence[Path] = (),
    made_from: Mapping[str, str] | None = None,
    pointing: Pointing | None = None,
) -> Version:
    """Log the generator to its training's run, register it and point an alias to it.

    Where the store does not have that run, one made of the model's files takes its place
    (:mod:`ganflow.tracking.runs.adopted_run`).

    Args:
        config: names the store, the registered model and the alias.
        model_dir: with ``generator.safetensors`` and ``run.json``.
        metrics: ``reports/metrics.json``; numbers become metrics of the run and tags, the rest tags.
        files: what the run gets below ``evaluation/``: the page and the pictures of the evaluation.
        made_from: :func:`ganflow.tracking.registry.provenance.texts`, which the run keeps.
        pointing: which alias; None: ``register.alias``, from whatever version it points to.

    Raises:
        GanflowError: files that do not belong together, no answer.
    """
    name = config.register.name
    require(re.fullmatch(r"[\w.-]+", name) is not None, "register.name", name, "letters, digits, '.', '_' and '-'")
    record, weights = _trained(model_dir)
    client = mlflow_client.connect(config.tracking)
    with mlflow_client.telling(mlflow_client.uri_of(config.tracking)):
        run = _run(client, record) or adopted_run.adopt(client, config, record, model_dir)
        card = model_files.card_of(config.register, generator.load(weights), record, run, metrics)
        existing = _find_version(client, name, record.model_digest)
        made = None if existing else _make_version(client, run, record, weights, card)
        version = _only(client, name, record.model_digest)
        link(client, version)
        _describe(client, run, version, _tags(record, metrics) | _stands_for(run, record), _figures(metrics))
        model_files.describe(client, version, card)
        _log(client, run.info.run_id, files, made_from or {})
        created = made is not None and version.version == made.version
        pointing = pointing or Pointing(config.register.alias)
        pointed = _point(client, version, pointing, created)
    number, run_of_it, model = int(version.version), run_id(version), model_id(version)
    return Version(name, number, pointing.alias, run_of_it, record.model_digest, model, created, pointed)


def _log(client: "MlflowClient", run_id: str, files: Sequence[Path], made_from: Mapping[str, str]) -> None:
    for file in files:
        client.log_artifact(run_id, str(file), EVALUATION.rstrip("/"))
    for path, text in made_from.items():
        client.log_text(run_id, text, path)


def _trained(model_dir: Path) -> tuple[run_record.RunRecord, Path]:
    """The origin of a model, and its weights."""
    record, weights = run_record.RunRecord.read(model_dir / run_record.FILE), model_dir / generator.FILE
    if run_record.file_digest(weights) != record.model_digest:
        raise GanflowError(
            f"{weights} is not the model that {run_record.FILE} describes; `dvc repro -f train` writes both"
        )
    return record, weights


def _run(client: "MlflowClient", record: run_record.RunRecord) -> "Run | None":
    """The run that trained; None if this store does not have it."""
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(record.run_id)
    except MlflowException as error:
        if error.error_code not in mlflow_client.ABSENT:
            raise
        return None
    return None if run.info.lifecycle_stage == "deleted" else run


def _point(client: "MlflowClient", version: "ModelVersion", pointing: Pointing, created: bool) -> int:
    """Set the alias; the version that it points to then."""
    before = client.get_registered_model(version.name).aliases.get(pointing.alias)
    if before is not None and not (pointing.takes or created):
        return int(before)
    mlflow_client.put(client.set_registered_model_alias, version.name, pointing.alias, version.version)
    return int(version.version)


def _versions_of(client: "MlflowClient", name: str, digest: str) -> "list[ModelVersion]":
    """Versions of these weights, first to last."""
    versions = client.search_model_versions(f"name = '{name}' AND tags.`{DIGEST}` = '{digest}'")
    return sorted(versions, key=lambda version: int(version.version))


def _find_version(client: "MlflowClient", name: str, digest: str) -> "ModelVersion | None":
    return next(iter(_versions_of(client, name, digest)), None)


def _only(client: "MlflowClient", name: str, digest: str) -> "ModelVersion":
    """The first version of these weights, without those that another process made at the same time, or a retry.

    Numbers are given away one after the other, so every process sees all versions before its own: all agree.
    """
    first, *doubles = _versions_of(client, name, digest)
    for double in doubles:
        with mlflow_client.absent_is_fine():  # the other process does the same
            if DECISION not in double.tags and not client.get_model_version(name, double.version).aliases:
                client.delete_model_version(name, double.version)
                if model_id(double) not in ("", model_id(first)):
                    client.delete_logged_model(model_id(double))
    return first


def _make_version(
    client: "MlflowClient", run: "Run", record: run_record.RunRecord, weights: Path, card: Card
) -> "ModelVersion | None":
    """A new version; None if another process made one meanwhile, and withdrew the model that this one completed."""
    from mlflow.exceptions import MlflowException

    try:
        return _create_version(client, run, record, weights, card)
    except MlflowException:
        if _find_version(client, card.name, record.model_digest) is None:
            raise
        return None


def _create_version(
    client: "MlflowClient", run: "Run", record: run_record.RunRecord, weights: Path, card: Card
) -> "ModelVersion":
    from mlflow.exceptions import MlflowException

    model = logged_model(client, run, record, weights, card)
    try:
        client.create_registered_model(card.name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return client.create_model_version(
        card.name,
        source=f"models:/{model.model_id}",
        run_id=run.info.run_id,
        tags={DIGEST: record.model_digest},
        model_id=model.model_id,
    )


def _tags(record: run_record.RunRecord, metrics: Mapping[str, object]) -> dict[str, str]:
    facts = {
        DIGEST: record.model_digest,
        "data_digest": record.data_digest,
        "data_md5": record.data_md5,
        "git_commit": record.git_commit,
        "recipe": record.recipe,
        "ray_run": record.ray_run,
        "data_path": record.data_path,
        "environment": record.environment,
        "start": record.start,
        "fingerprint": record.fingerprint,
    }
    return loggable({**facts, **{f"{METRIC}{key}": value for key, value in metrics.items()}})


def _stands_for(run: "Run", record: run_record.RunRecord) -> dict[str, str]:
    return {} if run.info.run_id == record.run_id else {ORIGINAL_RUN: record.run_id}


def _figures(metrics: Mapping[str, object]) -> dict[str, float]:
    numbers = {k: v for k, v in metrics.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    return {clean_key(f"{EVALUATION}{key}"): float(value) for key, value in numbers.items()}


def _describe(
    client: "MlflowClient", run: "Run", version: "ModelVersion", tags: Mapping[str, str], figures: Mapping[str, float]
) -> None:
    """Bring the version's tags and the run's figures to what they should be; what is right already stays."""
    from mlflow.entities import Metric

    for key, value in tags.items():
        if version.tags.get(key) != value:
            mlflow_client.put(client.set_model_version_tag, version.name, version.version, key, value)
    now = int(time.time() * 1000)
    new = {key: value for key, value in figures.items() if run.data.metrics.get(key) != value}
    client.log_batch(run.info.run_id, [Metric(key, value, now, 0, model_id(version)) for key, value in new.items()])
