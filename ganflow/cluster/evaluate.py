"""Evaluation on as many workers as training had."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganflow.cluster.launch import Work, launch
from ganflow.config import Config
from ganflow.errors import GanflowError


@dataclass(frozen=True)
class EvaluatePaths:
    """Where the workers find the generator, the data and the cached extractor."""

    generator: Path
    data: Path
    extractors: Path


@dataclass(frozen=True)
class Figures:
    """The figures of all metrics with their protocol."""

    values: dict[str, Any]


def evaluate(config: Config, name: str, paths: EvaluatePaths) -> dict[str, Any]:
    """Measure a generator on ``evaluation.samples`` samples: figures by name, with their protocol.

    Raises:
        GanflowError: see :func:`ganflow.cluster.launch.launch`.
    """
    found: list[Figures] = []
    launch(config, name, _worker, paths, found.append)
    if not found:
        raise GanflowError("evaluation ended without figures")
    return found[-1].values


def _worker(work: Work) -> None:
    from ray.train.torch import get_device

    from ganflow import distributed, generator
    from ganflow.evaluation.build import build_evaluator

    paths: EvaluatePaths = work.payload
    config = work.config.evaluation
    evaluator = build_evaluator(config, paths.data, paths.extractors, get_device())
    figures = evaluator.measure(generator.load(paths.generator, get_device()), config.samples)
    if distributed.rank() == 0:
        work.post(Figures(figures | evaluator.protocol(config.samples)))
