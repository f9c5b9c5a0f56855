"""`ganflow promote`, `rollback` and `champions`: who is champion, by the gate in ``params.yaml``."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from ganflow.atomic_files import write_whole
from ganflow.config import params_file
from ganflow.config.schema import Config
from ganflow.errors import GanflowError
from ganflow.evaluation import evaluation_result, gate
from ganflow.evaluation.build import evaluator_here
from ganflow.evaluation.evaluator import Evaluator
from ganflow.evaluation.gate import Contender
from ganflow.evaluation.latency import BATCH, alone, latency
from ganflow.methods.generator import Generator
from ganflow.report import comparison_table
from ganflow.report import promotion_page as report
from ganflow.terminal.progress import Bars
from ganflow.tracking.registry.loader import load_generator
from ganflow.tracking.registry.promotion import Candidate, Promoter


@dataclass(frozen=True)
class Promotion:
    """``promoted``: the challenger is champion now, or would be. Without a ``record`` it was champion already."""

    promoted: bool
    lines: list[str]
    record: report.Record | None = None


def promote(address: str | None, reference: str, *, dry_run: bool) -> Promotion:
    """Measure challenger and champion side by side and promote the challenger if the gate holds.

    Args:
        address: of the challenger; None: what ``register`` of ``params.yaml`` names.
        reference: a prepared data set, or images.
        dry_run: write nothing.

    Raises:
        GanflowError: nothing to compare, a gate that asks for what is not measured, no answer.
    """
    settings = params_file.load()
    promoter = Promoter(settings, address)
    if not dry_run:
        promoter.reconcile()
    candidate = promoter.candidate()
    if candidate.challenger == candidate.standing.champion:
        line = f"{candidate.name} version {candidate.challenger} is {settings.promotion.alias} already"
        return Promotion(True, [line])
    record = _judged(settings, candidate, reference)
    if not dry_run:
        record = promoter.conclude(candidate, record)
    verdict = f"dry run, nothing written; would be {record.verdict}" if dry_run else record.verdict
    return Promotion(record.decision.promoted, [*report.lines(record), verdict], record)


def rollback(name: str | None) -> str:
    """Set the champion before this one back; the line that says so.

    Raises:
        GanflowError: there is none, or no answer.
    """
    settings = params_file.load()
    promoter = Promoter(settings, name)
    change = promoter.rollback()
    return f"rolled back: {promoter.name} version {change.to} is {settings.promotion.alias}, no longer {change.left}"


def champions(name: str | None) -> list[str]:
    """Every change of champion in order, the latest last."""
    promoter = Promoter(params_file.load(), name)
    changes = promoter.history()
    if not changes:
        return [f"{promoter.name} has had no promotion"]
    rows = [(c.when, c.kind, "–" if c.left is None else str(c.left), str(c.to), c.by) for c in changes]
    return comparison_table.columns([("when", "what", "from", "to", "by"), *rows])


def write_page(page: Path, record: report.Record) -> None:
    """Write a decision's page.

    Raises:
        GanflowError: the file cannot be written.
    """
    try:
        write_whole(page, report.page(record))
    except OSError as error:
        raise GanflowError(f"cannot write {page}: {error.strerror or error}; the decision stands") from None


def _judged(settings: Config, candidate: Candidate, reference: str) -> report.Record:
    """The gate's decision, from one evaluator for both."""
    first = candidate.standing.champion is None
    gate.check_measured(settings.promotion, settings.evaluation, first=first)
    with tempfile.TemporaryDirectory() as scratch, Bars() as bars:
        evaluator = evaluator_here(settings, reference, Path(scratch), bars)
        generators = [
            load_generator(uri, settings.tracking, str(evaluator.device)) for uri in candidate.uris if uri is not None
        ]
        sides = [_measured(evaluator, generator) for generator in generators]
    sides, ratio = _timed(generators, sides)
    champion = None if first else sides[1]
    decision = gate.judge(settings.promotion, sides[0], champion, ratio)
    return report.Record(
        candidate.name,
        candidate.challenger,
        candidate.standing.champion,
        decision,
        settings.promotion,
        sides[0],
        champion,
    )


def _measured(evaluator: Evaluator, generator: Generator) -> Contender:
    evaluator.check_enough(evaluator.config.samples, list(evaluator.config.metrics), "evaluation.samples")
    samples = evaluator.drawn(generator, evaluator.config.samples)
    result = evaluation_result.alone(evaluator, samples)
    return Contender(result.figures, result.left_out, result.protocol, evaluator.splits.train.digest[:12])


def _timed(generators: list[Generator], sides: list[Contender]) -> tuple[list[Contender], float | None]:
    """The sides with the time per batch; the ratio of the two, if there are two."""
    times: tuple[float, ...]
    if len(generators) == 1:
        times, ratio = (alone(generators[0]),), None
    else:
        challenger, champion = generators
        timing = latency(challenger, champion)
        times, ratio = (timing.a_ms, timing.b_ms), timing.ratio
    timed = [replace(side, latency_ms=ms, latency_batch=BATCH) for side, ms in zip(sides, times, strict=True)]
    return timed, ratio
