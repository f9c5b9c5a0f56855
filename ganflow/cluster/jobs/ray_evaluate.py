"""Evaluation on as many workers as training had."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from ganflow.cluster.workers.controller import Work, launch
from ganflow.cluster.workers.staging import RunStaging
from ganflow.config.schema import Config
from ganflow.errors import GanflowError
from ganflow.evaluation.evaluation_result import Measured


@dataclass(frozen=True)
class EvaluateWork:
    """A worker's task: a generator's file, and the data that it is measured on."""

    generator: bytes
    supply: RunStaging


def evaluate(config: Config, name: str, generator: Path, supply: RunStaging) -> Measured:
    """Measure a generator's file on ``evaluation.samples`` samples.

    Raises:
        GanflowError: there is no such file; and see :func:`ganflow.cluster.workers.controller.launch`.
    """
    results: list[Measured] = []
    try:
        content = generator.read_bytes()
    except FileNotFoundError:
        raise GanflowError(f"{generator} is missing; `dvc repro train` writes it") from None
    launch(config, name, _worker, EvaluateWork(content, supply), results.append)
    if not results:
        raise GanflowError("evaluation ended without figures")
    return results[-1]


def _worker(work: Work) -> None:
    from ray.train.torch import get_device

    from ganflow.distributed import collectives
    from ganflow.evaluation import evaluation_result
    from ganflow.evaluation.build import build_evaluator
    from ganflow.methods import generator

    mine: EvaluateWork = work.payload
    config, extractors = work.config.evaluation, mine.supply.extractors_here()
    evaluator = build_evaluator(config, mine.supply.data_here(), extractors, get_device(), work.post, work.post)
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        file.write(mine.generator)
        file.flush()
        made = generator.load(Path(file.name), get_device())
    samples = evaluator.drawn(made, config.samples)
    result = evaluation_result.evaluate(evaluator, samples, config.resamples)
    if collectives.rank() == 0:
        mine.supply.keep_extractors(extractors)
    if result is not None:
        work.post(result)
