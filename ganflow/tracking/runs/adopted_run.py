"""A training's run on a server that did not see the training: after `dvc pull` elsewhere, or once the run was deleted.

What a model needs of its run travels with it: ``run.json`` and ``config.yaml`` beside the weights, the curves and the
last grid in ``reports/``. The run that is made of them says whose place it takes.
"""

import contextlib
import csv
import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from ganflow.config import project_folder
from ganflow.config.schema import Config
from ganflow.data.prepared.dataset import MANIFEST, digest_of, facts_of, read_manifest
from ganflow.errors import GanflowError
from ganflow.tracking import mlflow_client
from ganflow.tracking.runs.flat_params import clean_key, loggable
from ganflow.tracking.runs.run_record import RunRecord
from ganflow.tracking.runs.tracked_run import SAMPLES, DataSet, create, log_data, log_params

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

logger = logging.getLogger(__name__)

ORIGINAL = "ganflow.original_run"  # tag of such a run: the run that trained
CURVES, GRID, SETTINGS = Path("reports/training.csv"), Path("reports/samples/final.png"), "config.yaml"
_POINTS_PER_REQUEST = 1000


def adopt(client: "MlflowClient", config: Config, record: RunRecord, model_dir: Path) -> "Run":
    """MLflow's entity of the run that stands here for the one that trained; an interrupted try is made whole.

    Args:
        client: of :func:`ganflow.tracking.mlflow_client.connect`.
        config: names the store and the experiment.
        record: ``run.json``.
        model_dir: where it lies, with ``config.yaml``.
    """
    experiment_id = mlflow_client.experiment(client, config.tracking)
    params = _params(model_dir / SETTINGS)
    run = _earlier(client, experiment_id, record) or create(
        client, experiment_id, record.ray_run or record.run_id, _tags(record)
    )
    run_id = run.info.run_id
    if run.info.status != "FINISHED":
        log_params(client, run, loggable(params))
        log_data(client, run_id, _data(record, params))
        _log_curves(client, run_id, set(run.data.metrics))
        if GRID.is_file():
            client.log_artifact(run_id, str(GRID), SAMPLES)
        client.set_terminated(run_id, "FINISHED")
        logger.info(
            f"run {record.run_id}, which trained this model, is not on {mlflow_client.name_of(config.tracking)}; "
            f"run {run_id} takes its place there, from {model_dir}/ and {CURVES.parent}/"
        )
    return client.get_run(run_id)


def _earlier(client: "MlflowClient", experiment_id: str, record: RunRecord) -> "Run | None":
    wanted = f"tags.`{ORIGINAL}` = '{record.run_id}'"
    runs = client.search_runs([experiment_id], wanted, max_results=1, order_by=["attributes.start_time ASC"])
    return runs[0] if runs else None


def _tags(record: RunRecord) -> dict[str, str | None]:
    return {
        ORIGINAL: record.run_id,
        "ganflow.original_experiment": record.experiment,
        "ganflow.recipe": record.recipe,
        "ganflow.git_commit": record.git_commit,
        "ganflow.data_md5": record.data_md5,
        "ganflow.data_digest": record.data_digest,
    }


def _params(file: Path) -> dict[str, object]:
    """The parameters of the training, by dotted keys; an older ganflow's file is as good."""
    try:
        node = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GanflowError(f"{file} is not valid YAML: {' '.join(str(error).split())}; `dvc pull` fetches it") from None
    return dict(_leaves("", node))


def _leaves(prefix: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping) and value:
        for name, child in value.items():
            yield from _leaves(f"{prefix}.{name}".lstrip("."), child)
    elif prefix:
        yield prefix, value


def _data(record: RunRecord, params: Mapping[str, object]) -> DataSet:
    """The training's data; with their facts if they are here."""
    path = Path(record.data_path or "data")
    profile: dict[str, object] = {}
    if (path / MANIFEST).is_file():
        with contextlib.suppress(GanflowError):  # damaged, or of another format: registering needs none of it
            manifest = read_manifest(path)
            if digest_of(manifest) == record.data_digest:
                shards = manifest["splits"]["train"]["shards"]
                profile = {**facts_of(manifest).stated(), "images": sum(shard["count"] for shard in shards)}
    return DataSet(
        f"{params.get('data.name', 'data')}-train", record.data_digest, str(project_folder.root() / path), profile
    )


def _log_curves(client: "MlflowClient", run_id: str, logged: set[str]) -> None:
    """The points of ``training.csv``; their time is the same at a second try, so none is there twice."""
    from mlflow.entities import Metric

    points = [Metric(key, value, step, step) for key, value, step in _points() if key not in logged]
    for first in range(0, len(points), _POINTS_PER_REQUEST):
        client.log_batch(run_id, points[first : first + _POINTS_PER_REQUEST])


def _points() -> Iterator[tuple[str, float, int]]:
    if not CURVES.is_file():
        return
    with CURVES.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            step = round(float(row.pop("kimg")) * 1000)
            for key, text in row.items():
                if text and math.isfinite(float(text)):
                    yield clean_key(key), float(text), step
