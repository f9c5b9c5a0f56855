"""A search as files: ``best.yaml`` for the next stage, the trials and their curves for people."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from ganflow.atomic_files import write_whole
from ganflow.errors import GanflowError

if TYPE_CHECKING:
    from ganflow.cluster.jobs.ray_tune import SearchResult

BEST = "best.yaml"


def write_search(out: Path, result: "SearchResult | None") -> None:
    """Write ``best.yaml``, ``trials.csv`` and ``curves.csv``; None is a search that was not asked for."""
    trials = result.trials if result else []
    write_whole(out / "trials.csv", _table(["trial", "value", "kimg", "seconds", "overrides"], [
        [i, t.value, t.kimg, round(t.seconds, 1), " ".join(t.overrides)] for i, t in enumerate(trials)
    ]))  # fmt: skip
    points: list[list[object]] = [
        [i, point["kimg"], point["value"]] for i, trial in enumerate(trials) for point in trial.curve
    ]
    write_whole(out / "curves.csv", _table(["trial", "kimg", "value"], points))
    best_trial: dict[str, object] = {"overrides": []}
    if result:
        best = result.best
        best_trial = {"overrides": best.overrides, "trial": result.trials.index(best), result.metric: best.value}
    write_whole(out / BEST, yaml.safe_dump({**best_trial, "trials": len(trials)}, sort_keys=False))


def read_best(out: Path) -> list[str]:
    """The overrides of the best trial.

    Raises:
        GanflowError: the file is missing or has another form.
    """
    path = out / BEST
    try:
        overrides = yaml.safe_load(path.read_text(encoding="utf-8"))["overrides"]
    except FileNotFoundError:
        raise GanflowError(f"{path} is missing; `dvc repro tune` writes it") from None
    except (yaml.YAMLError, KeyError, TypeError):
        raise GanflowError(f"{path} has no `overrides`; `dvc repro -f tune` writes it anew") from None
    return [str(override) for override in overrides]


def _table(header: list[str], rows: list[list[object]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([header, *rows])
    return stream.getvalue()
