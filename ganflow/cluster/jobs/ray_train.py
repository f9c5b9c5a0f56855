"""Training on a worker group."""

from dataclasses import dataclass

from ganflow.cluster.workers.controller import Work, launch
from ganflow.cluster.workers.staging import RunStaging
from ganflow.config.schema import Config
from ganflow.terminal.progress import unheard
from ganflow.training.events import Listener, Warned, each


@dataclass(frozen=True)
class TrainWork:
    """A worker's task: the data that it trains on, and the name of the run."""

    supply: RunStaging
    run: str


def train(config: Config, name: str, supply: RunStaging, listener: Listener) -> None:
    """Train to the end of the run, from its last checkpoint if there is one; its state is in the storage then.

    Raises:
        GanflowError: see :func:`ganflow.cluster.workers.controller.launch`.
    """
    launch(config, name, _worker, TrainWork(supply, name), listener)


def _worker(work: Work) -> None:
    from ray.train.torch import get_device

    from ganflow.distributed import collectives
    from ganflow.evaluation.build import build_evaluator
    from ganflow.report.metrics_file import flat
    from ganflow.training.build import build_trainer, open_train
    from ganflow.training.callbacks import Callbacks
    from ganflow.training.checkpoints.async_writer import Writer
    from ganflow.training.history import History
    from ganflow.training.trainer import Trainer

    mine: TrainWork = work.payload
    supply, config = mine.supply, work.config
    trainers: list[Trainer] = []

    def tell(line: str) -> None:
        work.post(Warned(trainers[0].state.nimg if trainers else 0, line))

    place = supply.run(mine.run, tell)
    data, extractors = supply.data_here(tell), supply.extractors_here(tell)
    dataset, writer = open_train(data), Writer()
    evaluator = build_evaluator(config.evaluation, data, extractors, get_device(), work.post)
    evaluator.listener = unheard  # the bar of the training goes on while it measures
    if collectives.rank() == 0:
        supply.keep_extractors(extractors, tell)
    samples, names = config.evaluation.snapshot_samples, config.evaluation.snapshot_metrics
    evaluator.check_enough(samples, names, "evaluation.snapshot_samples")
    callbacks = Callbacks(
        listener=each(History(place, writer.put), work.post),
        measure=lambda generator: flat(evaluator.measure(generator, samples, names, tell)),
        pause_requested=work.pause_request(),
    )
    trainer = build_trainer(config, dataset, get_device(), place, callbacks, writer)
    trainers.append(trainer)
    trainer.resume()
    trainer.fit()
