"""One training as one MLflow run, and the record that ties its model to it."""

from pathlib import Path

from ganflow.config import project_folder
from ganflow.config.composition import dotted
from ganflow.config.schema import Config
from ganflow.data.prepared.dataset import Dataset
from ganflow.methods.generator import FILE
from ganflow.methods.players import players_file
from ganflow.tracking.runs.run_record import RunRecord, data_md5, environment, file_digest, git_commit
from ganflow.tracking.runs.tracked_run import DataSet, TrackedRun


def tracked_training(
    params: Config, name: str, fingerprint: str, dataset: Dataset, unfinished: Path, start: str | None = None
) -> TrackedRun:
    """The MLflow run of this training: a new one, or the one that a killed driver left unfinished.

    ``start`` says which weights it begins with.
    """
    tags = {
        "ganflow.recipe": params.recipe,
        "ganflow.git_commit": git_commit(),
        "ganflow.data_md5": data_md5(),
        "ganflow.data_digest": dataset.digest,
        "ganflow.start": start,
    }
    facts = dataset.facts
    profile = {**facts.stated(), "images": len(dataset)}
    source = project_folder.root() / dataset.root.name if project_folder.copied() else dataset.root
    data = DataSet(f"{params.data['name']}-{dataset.split}", dataset.digest, str(source), profile)
    values = {key: value for key, value in dotted(params).items() if "/" not in key}
    return TrackedRun.open(params.tracking, unfinished, fingerprint, name, values, tags, data)


def record_of(
    params: Config, run: TrackedRun, fingerprint: str, name: str, dataset: Dataset, model: Path, start: str | None
) -> RunRecord:
    """The record of a trained model in a folder, for ``run.json``."""
    return RunRecord(
        run_id=run.run_id, experiment=params.tracking.experiment, fingerprint=fingerprint, recipe=params.recipe,
        model_digest=file_digest(model / FILE), data_digest=dataset.digest, data_md5=data_md5(),
        git_commit=git_commit(), ray_run=name, data_path=dataset.root.name, environment=environment(), start=start,
        players_digest=file_digest(model / players_file.FILE),
    )  # fmt: skip
