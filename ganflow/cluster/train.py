"""Training on a gang of workers."""

from dataclasses import dataclass
from pathlib import Path

from ganflow.cluster.launch import Work, launch
from ganflow.schema import Config
from ganflow.training.events import Listener, each


@dataclass(frozen=True)
class TrainPaths:
    """Where the workers find the data, keep the run, and cache the extractor."""

    data: Path
    run: Path
    extractors: Path


def train(config: Config, name: str, paths: TrainPaths, listener: Listener) -> None:
    """Train to the end of the run, from its last checkpoint if there is one; the state is in ``paths.run`` then.

    Raises:
        GanflowError: see :func:`ganflow.cluster.launch.launch`.
    """
    launch(config, name, _worker, paths, listener)


def _worker(work: Work) -> None:
    from ray.train.torch import get_device

    from ganflow.evaluation.build import build_evaluator
    from ganflow.training.build import build_trainer, open_train
    from ganflow.training.history import History

    paths: TrainPaths = work.payload
    config = work.config
    dataset = open_train(paths.data)
    trainer = build_trainer(config, dataset, get_device(), paths.run)
    evaluator = build_evaluator(config.evaluation, paths.data, paths.extractors, get_device())
    samples, names = config.evaluation.snapshot_samples, config.evaluation.snapshot_metrics
    evaluator.check_enough(samples, names, "evaluation.snapshot_samples")
    trainer.measure = lambda generator: evaluator.measure(generator, samples, names)
    trainer.listener = each(History(paths.run), work.post)
    trainer.resume()
    trainer.fit()
