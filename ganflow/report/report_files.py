"""An evaluation as files: figures for programs, pictures and a page for people."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from ganflow.atomic_files import write_whole
from ganflow.evaluation.evaluation_result import Measured
from ganflow.report import metrics_file
from ganflow.report.curves import read_curves
from ganflow.report.evaluation_page import PageContent, Picture, html

CAPTIONS = {
    "samples": ("Samples", "The first ones, not chosen."),
    "pairs": (
        "Closest pairs",
        "Samples that are nearest to a training image, each above that image.",
    ),
    "restored": (
        "Restored",
        "The first test images, a column each: what is given, by a simple method, restored, true.",
    ),
    "detected": (
        "Detected",
        "Test images of every kind: the image, what the model makes of it, the difference, the truth if known.",
    ),
    "interpolation": ("Ways between latents", "From one sample to another, a row each; jumps are a bad sign."),
}


def write(measured: Measured, folder: Path, title: str, summary: Mapping[str, str]) -> None:
    """Write ``metrics.json``, ``classes.csv``, the pictures below ``evaluation/`` and ``report.html``.

    Args:
        found: the evaluation.
        folder: ``reports``; the curves of its ``training.csv`` go into the page.
        title: the model's name.
        summary: facts beneath the title: where the model is from.
    """
    write_whole(folder / "metrics.json", metrics_file.text(measured))
    write_whole(folder / "classes.csv", _classes(measured))
    for name, png in measured.pictures.items():
        write_whole(folder / "evaluation" / f"{name}.png", png)
    write_whole(folder / "report.html", page(measured, folder / "training.csv", title, summary))


def page(measured: Measured, training: Path | None, title: str, summary: Mapping[str, str]) -> str:
    """The page of an evaluation, with the curves of a ``training.csv`` if there is one."""
    return html(
        PageContent(
            title,
            summary,
            measured,
            read_curves(training.read_text(encoding="utf-8")) if training and training.is_file() else (),
            measured.classes,
            [Picture(*CAPTIONS[name], png) for name, png in measured.pictures.items()],
        )
    )


def _classes(measured: Measured) -> str:
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(["class", "generated", "reference", "fid"])
    for c in measured.classes:
        table.writerow([c.name, f"{c.generated:.4f}", f"{c.reference:.4f}", "" if c.fid is None else f"{c.fid:.4g}"])
    return stream.getvalue()
