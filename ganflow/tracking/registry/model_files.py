"""The files beside a registered model's weights, so that others use it without this repository; and its description."""

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ganflow.atomic_files import write_whole
from ganflow.config.schema import RegisterConfig
from ganflow.errors import GanflowError
from ganflow.generation import export
from ganflow.methods.generator import Generator
from ganflow.report import metrics_file
from ganflow.report.model_card import EXPORTS, SAMPLES, Card, markdown, summary
from ganflow.tracking.runs.run_record import RunRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)

README = "README.md"
UNASKED = "register.exports did not ask for it"
SHOWN, COLUMNS = 64, 16

LONGEST = 5000  # characters of a description in MLflow's tables
_MARK = re.compile(r"(?s)(.*)\n\n<!-- ganflow ([0-9a-f]{16}) -->\Z")


def card_of(
    config: RegisterConfig, generator: Generator, record: RunRecord, run: "Run", metrics: Mapping[str, object]
) -> Card:
    """The model card's facts, from the records.

    Args:
        config: names the registered model, its licence and its exports.
        generator: the model.
        record: ``run.json``.
        run: MLflow's entity of the training's run, whose parameters hold no secrets.
        metrics: the contents of ``reports/metrics.json``.
    """
    data = {
        "source": run.data.params.get("data.name"),
        "path": run.data.params.get("data.path"),
        "images": _profile(run).get("images"),
        "sha256": record.data_digest,
        "md5 in DVC": record.data_md5,
    }
    origin = {
        "recipe": record.recipe,
        "git commit": record.git_commit,
        "started from": record.start,
        "MLflow run": record.run_id,
        "environment": record.environment,
        "sha256 of the weights": record.model_digest,
    }
    parameters = sum(p.numel() for p in generator.network.parameters())
    facts = (_known(data), _known(origin), metrics_file.parse(metrics))
    return Card(config.name, generator.spec, parameters, *facts, config.license, tuple(config.exports))


def write(folder: Path, generator: Generator, card: Card) -> None:
    """Add the exports, a grid of samples and the model card; what a generator does not allow is left out and told."""
    unasked = {file: UNASKED for form, file in export.FORMS.items() if form not in card.exports}
    left_out = export.write(generator, folder / EXPORTS, card.exports)
    try:
        write_whole(folder / SAMPLES, _samples(generator))
    except GanflowError as error:  # it makes NaN, or images of which there is no PNG
        left_out[SAMPLES] = str(error)
    for name, why in left_out.items():
        logger.warning(f"the registered model has no {name}: {why}")
    write_whole(folder / README, markdown(card, left_out | unasked))


def describe(client: "MlflowClient", version: "ModelVersion", card: Card) -> None:
    """Show the card on the version's page in MLflow, unless a person wrote something there."""
    text = summary(card).strip()
    marked = f"{text}\n\n<!-- ganflow {_digest(text)} -->"
    if len(marked) <= LONGEST and version.description != marked and _is_ours(version.description):
        client.update_model_version(version.name, version.version, marked)


def _is_ours(description: str | None) -> bool:
    """True if the text is as :func:`describe` wrote it, or there is none."""
    mark = _MARK.fullmatch(description or "")
    return not description or (mark is not None and _digest(mark[1]) == mark[2])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _samples(generator: Generator) -> bytes:
    """The first samples as a PNG; of a few classes each column is one.

    Raises:
        GanflowError: there are none to make, or NaN.
    """
    spec = generator.spec
    if spec.restores:
        raise GanflowError("it makes images of what it is given; the report shows some")
    columns = spec.num_classes if 1 < spec.num_classes <= COLUMNS else None
    some = min(SHOWN, generator.batch) // (columns or 1) * (columns or 1)
    n = max(some, columns or 1) if spec.signal.alone else spec.signal.shown
    return spec.signal.preview(generator.sample(n, seed=0), columns, spec.centres)


def _profile(run: "Run") -> dict[str, object]:
    """The data that the run was trained on, by its own words."""
    inputs = run.inputs.dataset_inputs if run.inputs else []
    return next((json.loads(entry.dataset.profile) for entry in inputs if entry.dataset.profile), {})


def _known(facts: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in facts.items() if value not in (None, "")}
