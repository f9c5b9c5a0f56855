"""A search as one MLflow run: the trials, and the best of them."""

import csv
from pathlib import Path

import yaml

from ganflow.config import project_folder
from ganflow.config.composition import dotted
from ganflow.config.schema import Config
from ganflow.errors import GanflowError
from ganflow.tracking import mlflow_client
from ganflow.tracking.runs.run_record import git_commit
from ganflow.tracking.runs.tracked_run import TrackedRun
from ganflow.tracking.runs.unfinished_run import UnfinishedRun
from ganflow.training.checkpoints.fingerprint import fingerprint


def search_name(params: Config, data_digest: str, start_digest: str) -> str:
    """The name of the search that ``params.yaml`` asks for, as it stands."""
    return f"{params.register.name}-tune-{fingerprint(params, data_digest, start_digest)}"


def tracked_search(params: Config, name: str, data_digest: str, unfinished: Path) -> TrackedRun:
    """The MLflow run of this search. MLflow that is away at its end does not make it search again."""
    tags = {"ganflow.recipe": params.recipe, "ganflow.git_commit": git_commit(), "ganflow.data_digest": data_digest}
    values = {key: value for key, value in dotted(params).items() if "/" not in key}
    later = "the next training of this project"
    return TrackedRun.open(params.tracking, unfinished, name, name, values, tags, delivered_by=later)


def log_search(run: TrackedRun, metric: str, reports: Path) -> None:
    """Log the search in ``reports``: one point per trial, and its files."""
    with (reports / "trials.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["value"]:
                run.metrics({f"trial_{metric}": float(row["value"])}, step=int(row["trial"]))
    best = yaml.safe_load((reports / "best.yaml").read_text(encoding="utf-8"))
    run.metrics({f"best_{metric}": float(best[metric])}, step=0)
    for path in sorted(reports.iterdir()):
        run.text(path.read_text(encoding="utf-8"), path.name)


def reconcile_search(params: Config, data_digest: str, start_digest: str, reports: Path, unfinished: Path) -> None:
    """Log the search in ``reports`` again if MLflow missed its end, and answers now.

    DVC does not run the stage again, for its files are complete; so the stage that uses them does it.
    """
    name = search_name(params, data_digest, start_digest)
    note = UnfinishedRun.note(unfinished, name)
    if not params.tune.trials or not UnfinishedRun.read(note, params.tracking):
        return
    try:
        mlflow_client.connect(params.tracking)
    except GanflowError:
        return
    with project_folder.alone(name):
        if note.exists():  # else the process that was waited for did it
            with tracked_search(params, name, data_digest, unfinished) as run:
                log_search(run, params.tune.metric, reports)
