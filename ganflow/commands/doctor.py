"""`ganflow doctor`: a cluster, its storage and MLflow, examined before a run is paid for."""

import dataclasses
import json
import logging
from pathlib import Path

from ganflow.cluster.doctor.checks import examine
from ganflow.cluster.doctor.examination import FAULT, NOTE, OK, Examination, NodeCheck, NodeReport
from ganflow.config import composition, params_file
from ganflow.config.schema import Config, TrackingConfig
from ganflow.errors import GanflowError
from ganflow.terminal.redaction import redact
from ganflow.tracking import mlflow_client

logger = logging.LoggerAdapter(logging.getLogger(__name__), {"who": "doctor"})

HEADS = ("node", "answers", "Python", "Ray", "torch", "CPUs", "GPUs", "cache", "clock", "storage")


def doctor(params: Path, *, bandwidth: bool = True) -> Examination:
    """Examine what ``params.yaml`` names; what the recipe names, where there is none."""
    settings = params_file.load(params) if params != params_file.PARAMS or params.is_file() else composition.compose()
    examination = _examined(settings, bandwidth)
    logger.info("asking MLflow")
    examination.checks.append(_mlflow(settings.tracking))
    return examination


def _examined(settings: Config, bandwidth: bool) -> Examination:
    try:
        return examine(settings, bandwidth=bandwidth)
    except GanflowError as error:
        return Examination("no cluster", checks=[NodeCheck("cluster", FAULT, str(error))])


def _mlflow(tracking: TrackingConfig) -> NodeCheck:
    uri = mlflow_client.uri_of(tracking)
    try:
        mlflow_client.connect(tracking, create=False)
    except GanflowError as error:
        made_later = uri.startswith("sqlite:") and "no MLflow store" in str(error)
        return NodeCheck("MLflow", NOTE if made_later else FAULT, str(error))
    return NodeCheck("MLflow", OK, f"{redact(uri)} answers")


def faults(examination: Examination) -> int:
    """The number of faults."""
    return sum(check.status == FAULT for check in examination.checks)


def as_json(examination: Examination) -> str:
    """All that was found, for programs."""
    return json.dumps({**dataclasses.asdict(examination), "faults": faults(examination)}, indent=2)


def lines(examination: Examination) -> list[str]:
    """For people: a row for each node, a line for each check, faults last."""
    rows = [HEADS, *(_row(node, examination) for node in examination.nodes)] if examination.nodes else []
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADS))] if rows else []
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    ordered = sorted(examination.checks, key=lambda check: (OK, NOTE, FAULT).index(check.status))
    wide = max(len(check.name) for check in ordered)
    checks = [f"{check.status:5s}  {check.name:{wide}s}  {check.text}" for check in ordered]
    count = faults(examination)
    verdict = "no fault" if not count else f"{count} fault{'s' if count > 1 else ''}"
    legend = ["* the driver's connection", ""] if table else []
    return [f"{examination.address}", *table, *legend, *checks, "", verdict]


def _row(node: NodeReport, examination: Examination) -> tuple[str, ...]:
    name = f"{node.ip}{'*' if node.driver else ''}"
    its = node.facts
    answers = "no" if node.answer_s is None else f"{node.answer_s:.1f} s"
    if its is None:
        return (name, answers, *"----", str(node.gpus or "-"), *"---")[: len(HEADS)]
    gpus = f"{len(its.gpus)} {its.gpus[0]}, {its.gpu_driver}" if its.gpus else "-"
    clock = "-" if node.clock_s is None else f"{node.clock_s * 1000:+.0f} ms"
    storage = "-" if node.storage_s is None else f"{node.storage_s * 1000:.0f} ms"
    free = f"{its.free / 2**30:,.0f} GB"
    return (name, answers, its.python, its.ray, its.torch, str(node.cpus), gpus, free, clock, storage)
