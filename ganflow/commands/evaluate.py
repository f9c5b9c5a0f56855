"""`ganflow evaluate` and `ganflow compare`: samples of any generator, measured by the pipeline's own protocol."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from ganflow import storage
from ganflow.atomic_files import write_out
from ganflow.config.composition.measure_overrides import Given, Measuring, measuring
from ganflow.data.prepared.dataset import Dataset
from ganflow.errors import require
from ganflow.evaluation import evaluation_result
from ganflow.evaluation.build import evaluator_here
from ganflow.evaluation.evaluation_result import Measured
from ganflow.evaluation.evaluator import Evaluator
from ganflow.evaluation.evidence.samples import Samples
from ganflow.evaluation.image_sets import as_samples, is_pictures, open_images
from ganflow.evaluation.metrics.base import Measurement
from ganflow.evaluation.outcome import Evaluation
from ganflow.evaluation.significance import Difference, compare
from ganflow.methods.generator import FILE
from ganflow.report import comparison_table, metrics_file, report_files
from ganflow.storage import is_remote
from ganflow.terminal.progress import Advanced, Bars
from ganflow.tracking.registry.loader import FORMS, load_generator

IMAGES = "a folder, zip, tar or .npz, local or s3://"


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
    _check_there(samples)
    with tempfile.TemporaryDirectory() as scratch, Bars() as bars:
        wanted = measuring(overrides, _given([samples], reference))
        evaluator = _evaluator(wanted, reference, Path(scratch, "reference"), bars)
        result = evaluation_result.alone(evaluator, _samples(samples, evaluator, wanted, Path(scratch, "samples")))
    if out is not None:
        write_out(Path(out), _written(result, samples, reference, page=out.endswith(".html")))
    return [*_lines(result), *result.notes]


def _written(result: Measured, samples: str, reference: str, *, page: bool) -> str:
    if page:
        return report_files.page(result, None, samples, {"samples": samples, "reference": reference})
    return metrics_file.text(result)


def compare_two(a: str, b: str, reference: str, overrides: Sequence[str]) -> list[str]:
    """Measure two generators or sets of samples against one reference and say which is better.

    Raises:
        GanflowError: as :func:`evaluate`.
    """
    _check_there(a, b)
    with tempfile.TemporaryDirectory() as scratch, Bars() as bars:
        wanted = measuring(overrides, _given([a, b], reference))
        evaluator = _evaluator(wanted, reference, Path(scratch, "reference"), bars)
        results = []
        for name, where in (("a", a), ("b", b)):
            results.append(evaluation_result.alone(evaluator, _samples(where, evaluator, wanted, Path(scratch, name))))
    differences = compare(*results)
    counts = [side.protocol.samples for side in results]
    head = [f"A {a}: {counts[0]:,} samples", f"B {b}: {counts[1]:,} samples", ""]
    notes = [
        f"{name} of {side} is left out: {why}"
        for side, m in zip("AB", results, strict=True)
        for name, why in m.left_out.items()
    ]
    return [*head, *comparison_table.table(differences, "A", "B"), "", *notes, _verdict(differences)]


def _given(samples: Sequence[str], reference: str) -> Given:
    models = [where for where in samples if _is_model(where)]
    pictures = [where for where in samples if where not in models and is_pictures(where)]
    return Given(bool(models), bool(pictures), is_pictures(reference))


def _evaluator(wanted: Measuring, reference: str, scratch: Path, listener: Callable[[Advanced], None]) -> Evaluator:
    return evaluator_here(wanted.config, reference, scratch, listener, wanted.reference)


def _samples(where: str, evaluator: Evaluator, wanted: Measuring, scratch: Path) -> Samples:
    settings = wanted.config
    if _is_model(where):
        generator = load_generator(where, settings.tracking, str(evaluator.device))
        return evaluator.drawn(generator, settings.evaluation.samples)
    images = Dataset.open(open_images(where, scratch, wanted.samples))
    return as_samples(images, evaluator.reference, where)


def _check_there(*samples: str) -> None:
    """Refuse local samples that are not there, before any work."""
    for where in samples:
        exists = is_remote(where) or storage.local_path(where).exists()
        require(exists, "samples", where, f"no such file or folder; give a model ({FORMS}) or images ({IMAGES})")


def _is_model(where: str) -> bool:
    path = Path(where)
    return where.startswith(("models:", "runs:")) or path.suffix == Path(FILE).suffix or (path / FILE).is_file()


def _lines(evaluation: Evaluation) -> list[str]:
    """A figure or a line of the protocol each, bounds beside what they bound."""
    shown = metrics_file.without_bounds(evaluation.figures) | asdict(evaluation.protocol)
    intervals = {name: _interval(figure) for name, figure in evaluation.figures.items()}
    width = max(map(len, shown))
    return [f"{name:{width}s}  {comparison_table.text(v)}{intervals.get(name, '')}" for name, v in shown.items()]


def _interval(figure: Measurement) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f"  (95 %: {comparison_table.text(figure.low)} to {comparison_table.text(figure.high)})"


def _verdict(differences: Sequence[Difference]) -> str:
    """By the first figure whose noise is known."""
    first = next((d for d in differences if d.by is not None), None)
    if first is None:
        return "no figure has an interval, so whether the difference is more than noise is not known"
    by = comparison_table.by(first)
    if first.winner is None:
        return f"neither is better: {first.figure} differs by {by}, which is within noise"
    return f"{first.winner} is better: {first.figure} differs by {by} ({first.better} is better), more than noise"
