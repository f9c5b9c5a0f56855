"""The figures of a training run as curves, grouped so that what is compared stands in one chart."""

import csv
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ganflow.errors import GanflowError
from ganflow.evaluation.metrics.base import known
from ganflow.report.metrics_file import SPREAD

LOSSES = ("adversarial", "reconstruction", "kl", "class")  # a player's other terms are regularisers
PREFIXES = {"lr": "Learning rates", "gradient": "Gradient norms"}
LAST = ("Regularisers", *PREFIXES.values(), "images_per_second")
WIDE = 30  # times from the lowest to the highest value: then the axis is logarithmic

Cells = tuple[float | None, ...]


@dataclass(frozen=True)
class Curve:
    """Figures over training that stand in one chart; None is a gap."""

    title: str
    x: tuple[float, ...]
    series: Mapping[str, Cells]
    x_label: str = "thousands of images"
    log: bool = False


def read_curves(training_csv: str) -> list[Curve]:
    """The curves of ``reports/training.csv``: losses together, each snapshot metric by itself, the rest.

    A curve has only the rows at which one of its figures was measured, for metrics are measured rarely.

    Raises:
        GanflowError: a cell that is no number, or no ``kimg``.
    """
    reader = csv.DictReader(io.StringIO(training_csv))
    names = [name for name in reader.fieldnames or [] if name != "kimg"]
    try:
        rows = [{name: float(cell) if cell else None for name, cell in row.items()} for row in reader]
        kimg = [float(row["kimg"] or 0) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise GanflowError(f"no table of training figures over kimg: {error!r}") from None
    groups: dict[str, list[str]] = {}
    for title, name in _titles(names):
        groups.setdefault(title, []).append(name)
    ordered = sorted(groups, key=_place)
    return [_curve(title, kimg, {name: [row[name] for row in rows] for name in groups[title]}) for title in ordered]


def _titles(names: list[str]) -> Iterator[tuple[str, str]]:
    """Each name after the title of the chart in which it stands."""
    players = {name.split("/")[0] for name in names if name.split("/")[-1] in LOSSES}
    for name in names:
        prefix, slash, term = name.partition("/")
        if not slash:
            yield next((name.removesuffix(end) for end in SPREAD if name.endswith(end)), name), name
        elif prefix in players:
            yield "Losses" if term in LOSSES else "Regularisers", name
        else:
            yield PREFIXES.get(prefix, prefix), name


def _place(title: str) -> tuple[int, int]:
    """Losses, the figures in the order of the table, what is unknown, and what seldom matters."""
    if title in known():
        return 1, 0
    return (0, 0) if title == "Losses" else (3, LAST.index(title)) if title in LAST else (2, 0)


def _curve(title: str, kimg: list[float], series: Mapping[str, list[float | None]]) -> Curve:
    measured = [i for i in range(len(kimg)) if any(values[i] is not None for values in series.values())]
    cells = {name: tuple(values[i] for i in measured) for name, values in series.items()}
    finite = [v for values in cells.values() for v in values if v is not None and math.isfinite(v)]
    log = title != "Losses" and len(finite) > 1 and min(finite) > 0 and max(finite) > WIDE * min(finite)
    shown = known()[title].label if title in known() else title.replace("_", " ")
    if title not in cells and len(cells) == 1:  # of a group, which a legend would name
        shown += f": {next(iter(cells))}"
    return Curve(shown[:1].upper() + shown[1:], tuple(kimg[i] for i in measured), cells, log=log)
