"""The model of this checkout in the registry: what the stage ``register`` and the command `ganflow register` share.

The alias ``register.alias`` is the model that stands in the checkout. So an experiment that runs in a copy of it
(`dvc exp run --queue`, `--temp`) gives its version an alias of the experiment's name and leaves that one alone: of
several that run at once, the last to end is not the one that a person chooses.
"""

import logging
import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ganflow import records
from ganflow.config import params_file, project_folder
from ganflow.config.schema import Config
from ganflow.errors import GanflowError
from ganflow.tracking.registry import provenance, registration
from ganflow.tracking.registry.registration import DIGEST, Pointing, Version
from ganflow.tracking.runs import run_record

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)

MODEL, METRICS = Path("model"), Path("reports/metrics.json")
PAGE, PICTURES = Path("reports/report.html"), Path("reports/evaluation")
OUT = Path("reports/registry.json")
HERE = Path("reports/registered-here.json")  # of this checkout alone, not in Git: says that it registered its model
COMMAND = "`ganflow register`"


def register(params: Config, *, insist: bool) -> Version:
    """Register ``model/`` with its figures, and write which version it is.

    Args:
        params: names the store, the registered model and the alias.
        insist: take the alias from another version, too. Else a version that is there already does so only if this
            checkout has registered before: a fresh clone of something old leaves the team's alias alone.

    Raises:
        GanflowError: files are missing or do not belong together, or no answer.
    """
    metrics: dict[str, object] = records.read(METRICS, dict, "`dvc repro evaluate` writes it")
    pages = [PAGE, *sorted(PICTURES.glob("*.png"))]
    pointing = Pointing(params.register.alias, insist or HERE.is_file())
    if project_folder.copied():
        pointing = Pointing(_experiment())
    with project_folder.alone("register"):
        version = registration.register(params, MODEL, metrics, pages, provenance.texts(params), pointing)
    # The run that trained, whichever takes its place here: the file stays as it is in a clone that registers, too.
    facts = asdict(version) | {"run_id": run_record.RunRecord.read(MODEL / run_record.FILE).run_id}
    records.write(OUT, {key: facts[key] for key in ("name", "version", "alias", "run_id", "digest")})
    records.write(HERE, {"name": version.name, "digest": version.digest})
    return version


def line(version: Version) -> str:
    """A line for people on what a registration came to."""
    state = "registered" if version.created else "already registered"
    status = f"{state}: models:/{version.name}/{version.version}"
    if project_folder.copied():
        return f"{status}, alias {version.alias}; after `dvc exp apply`, {COMMAND} points the challenger to it"
    if version.pointed != version.version:
        return f"{status}; alias {version.alias} stays with version {version.pointed}, {COMMAND} takes it"
    return f"{status}, alias {version.alias}"


def tell_if_other(name: str, alias: str, version: "ModelVersion") -> None:
    """Say that this checkout's alias means another model than the one that stands here."""
    try:
        params = params_file.load()
        digest = run_record.RunRecord.read(MODEL / run_record.FILE).model_digest
    except GanflowError:
        return
    same_model = (params.register.name, params.register.alias) == (name, alias)
    if same_model and version.tags.get(DIGEST, digest) != digest:
        logger.info(
            f"{name}@{alias} is version {version.version}, not the model in {MODEL}/; {COMMAND} points it to that"
        )


def _experiment() -> str:
    """The experiment's name as an alias; MLflow keeps some words to itself."""
    name = re.sub(r"[^\w-]", "-", os.environ.get("DVC_EXP_NAME") or "experiment")
    return f"exp-{name}" if re.fullmatch(r"latest|v\d+|champion|challenger", name, re.IGNORECASE) else name
