"""Evaluation on as many workers as training had."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganflow.cluster.launch import Work, launch
from ganflow.errors import GanflowError
from ganflow.evaluation.evaluator import ClassShare
from ganflow.schema import Config


@dataclass(frozen=True)
class EvaluatePaths:
    """Where the workers find the generator, the data and the cached extractor."""

    generator: Path
    data: Path
    extractors: Path


@dataclass(frozen=True)
class Figures:
    """The figures of all metrics with their protocol, and how often each class was made."""

    values: dict[str, Any]
    classes: list[ClassShare]


def evaluate(config: Config, name: str, paths: EvaluatePaths) -> Figures:
    """Measure a generator on ``evaluation.samples`` samples.

    Raises:
        GanflowError: see :func:`ganflow.cluster.launch.launch`.
    """
    found: list[Figures] = []
    launch(config, name, _worker, paths, found.append)
    if not found:
        raise GanflowError("evaluation ended without figures")
    return found[-1]


def _worker(work: Work) -> None:
    from ray.train.torch import get_device

    from ganflow import distributed, generator
    from ganflow.evaluation.build import build_evaluator

    paths: EvaluatePaths = work.payload
    config = work.config.evaluation
    evaluator = build_evaluator(config, paths.data, paths.extractors, get_device())
    fake = evaluator.features(generator.load(paths.generator, get_device()), config.samples)
    figures, shares = evaluator.figures(fake), evaluator.class_shares(fake)
    if distributed.rank() == 0:
        work.post(Figures(figures | evaluator.protocol(config.samples), shares))
