"""Evaluation on as many workers as training had."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ganflow.cluster.launch import Work, launch
from ganflow.errors import GanflowError
from ganflow.evaluation.evaluator import Advanced
from ganflow.report.measured import Measured
from ganflow.schema import Config


@dataclass(frozen=True)
class EvaluatePaths:
    """Where the workers find the generator, the data and the cached extractor."""

    generator: Path
    data: Path
    extractors: Path


def evaluate(config: Config, name: str, paths: EvaluatePaths, listener: Callable[[Advanced], None]) -> Measured:
    """Measure a generator on ``evaluation.samples`` samples.

    Raises:
        GanflowError: see :func:`ganflow.cluster.launch.launch`.
    """
    found: list[Measured] = []

    def listen(item: Measured | Advanced) -> None:
        if isinstance(item, Measured):
            found.append(item)
        else:
            listener(item)

    launch(config, name, _worker, paths, listen)
    if not found:
        raise GanflowError("evaluation ended without figures")
    return found[-1]


def _worker(work: Work) -> None:
    from ray.train.torch import get_device

    from ganflow import generator
    from ganflow.evaluation.build import build_evaluator
    from ganflow.report import measured

    paths: EvaluatePaths = work.payload
    config = work.config.evaluation
    evaluator = build_evaluator(config, paths.data, paths.extractors, get_device())
    evaluator.listener = work.post
    samples = evaluator.drawn(generator.load(paths.generator, get_device()), config.samples)
    result = measured.evaluate(evaluator, samples, config.resamples)
    if result is not None:
        work.post(result)
