"""A search as one MLflow run: what was tried, and what was found."""

import csv
from pathlib import Path

import yaml

from ganflow.config.composition import dotted
from ganflow.config.schema import Config
from ganflow.tracking.runs.run_record import git_commit
from ganflow.tracking.runs.tracked_run import TrackedRun


def tracked_search(params: Config, name: str, data_digest: str, outbox: Path) -> TrackedRun:
    """The MLflow run of this search. What MLflow does not take at its end is no reason to search again."""
    tags = {"ganflow.recipe": params.recipe, "ganflow.git_commit": git_commit(), "ganflow.data_digest": data_digest}
    values = {key: value for key, value in dotted(params).items() if "/" not in key}
    return TrackedRun.open(params.tracking, outbox, name, name, values, tags, insist=False)


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
