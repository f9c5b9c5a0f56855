"""`ganflow evaluate` and `ganflow compare`: samples of any generator, measured by the pipeline's own protocol."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganflow import conf, config
from ganflow.data.dataset import Dataset
from ganflow.errors import require
from ganflow.evaluation.build import evaluator_here
from ganflow.evaluation.comparison import Difference, compare
from ganflow.evaluation.evaluator import Evaluator
from ganflow.evaluation.images import as_samples, open_images
from ganflow.evaluation.samples import Samples
from ganflow.files import write_whole
from ganflow.generator import FILE
from ganflow.progress import Bars
from ganflow.report import files, measured, sides
from ganflow.report.measured import Measured
from ganflow.schema import Config
from ganflow.tracking.source import load_generator

BOUNDS = ("_low", "_high")


def evaluate(samples: str, reference: str, overrides: Sequence[str], out: str | None) -> list[str]:
    """Measure samples, write what was found if ``out`` names a file, and give lines to print.

    Args:
        samples: images or a model.
        reference: images or a prepared data set.
        overrides: of the configuration.
        out: ``….json`` for the figures, ``….html`` for the page.

    Raises:
        GanflowError: samples or reference that cannot be read or do not go together.
    """
    require(out is None or Path(out).suffix in (".json", ".html"), "out", out, "a name that ends in .json or .html")
    with tempfile.TemporaryDirectory() as scratch, Bars() as bars:
        settings = _settings(overrides)
        evaluator = evaluator_here(settings, reference, Path(scratch, "reference"), bars)
        found = measured.alone(evaluator, _samples(samples, evaluator, settings, Path(scratch, "samples")))
    if out is not None:
        write_whole(Path(out), _written(found, samples, reference, page=out.endswith(".html")))
    return [*_lines(found.figures | found.protocol), *found.notes]


def _written(found: Measured, samples: str, reference: str, *, page: bool) -> str:
    if page:
        return files.page(found, None, samples, {"samples": samples, "reference": reference})
    return json.dumps(found.values, indent=2) + "\n"


def compare_two(a: str, b: str, reference: str, overrides: Sequence[str]) -> list[str]:
    """Measure two generators or sets of samples against one reference and say which is better.

    Raises:
        GanflowError: as :func:`evaluate`.
    """
    with tempfile.TemporaryDirectory() as scratch, Bars() as bars:
        settings = _settings(overrides)
        evaluator = evaluator_here(settings, reference, Path(scratch, "reference"), bars)
        found = []
        for name, where in (("a", a), ("b", b)):
            found.append(measured.alone(evaluator, _samples(where, evaluator, settings, Path(scratch, name))))
    differences = compare(*(side.values for side in found))
    counts = [side.values["samples"] for side in found]
    head = [f"A {a}: {counts[0]:,} samples", f"B {b}: {counts[1]:,} samples", ""]
    return [*head, *sides.table(differences, "A", "B"), "", _verdict(differences)]


def _settings(overrides: Sequence[str]) -> Config:
    """As ``params.yaml`` says, where there is one and nothing else is asked for."""
    if config.PARAMS.is_file() and not overrides:
        return config.load()
    return conf.compose(overrides)


def _samples(where: str, evaluator: Evaluator, settings: Config, scratch: Path) -> Samples:
    if _is_model(where):
        generator = load_generator(where, settings.tracking, str(evaluator.device))
        return evaluator.drawn(generator, settings.evaluation.samples)
    return as_samples(Dataset.open(open_images(where, scratch)), evaluator.reference, where)


def _is_model(where: str) -> bool:
    path = Path(where)
    return where.startswith(("models:", "runs:")) or path.suffix == Path(FILE).suffix or (path / FILE).is_file()


def _lines(values: Mapping[str, Any]) -> list[str]:
    """A figure or a line of the protocol each, bounds beside what they bound."""
    shown = {name: value for name, value in values.items() if not name.endswith(BOUNDS)}
    width = max(map(len, shown))
    return [f"{name:{width}s}  {sides.text(value)}{_interval(name, values)}" for name, value in shown.items()]


def _interval(name: str, values: Mapping[str, Any]) -> str:
    low, high = (values.get(f"{name}{end}") for end in BOUNDS)
    return "" if low is None or high is None else f"  (95 %: {sides.text(low)} to {sides.text(high)})"


def _verdict(differences: Sequence[Difference]) -> str:
    """By the first figure whose noise is known."""
    first = next((d for d in differences if d.by is not None), None)
    if first is None:
        return "no figure has an interval, so whether the difference is more than noise is not known"
    by = sides.by(first)
    if first.winner is None:
        return f"neither is better: {first.figure} differs by {by}, which is no more than noise"
    return f"{first.winner} is better: {first.figure} differs by {by} ({first.better} is better), more than noise"
