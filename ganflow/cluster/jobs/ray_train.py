"""Training on a worker group."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganflow.cluster.workers.controller import Work, launch, nothing
from ganflow.cluster.workers.staging import RunStaging
from ganflow.config.schema import Config
from ganflow.terminal.messages import LineHandler, handled
from ganflow.training.events import Listener, Warned, each

if TYPE_CHECKING:
    from ganflow.training.trainer import Trainer


@dataclass(frozen=True)
class TrainWork:
    """A worker's task: the data that it trains on, and the name of the run."""

    supply: RunStaging
    run: str


def train(
    config: Config, name: str, supply: RunStaging, listener: Listener, beside: Callable[[], None] = nothing
) -> None:
    """Train to the end of the run, from its last checkpoint if there is one; its state is in the storage then.

    ``beside`` and errors as of :func:`ganflow.cluster.workers.controller.launch`.
    """
    launch(config, name, _worker, TrainWork(supply, name), listener, beside)


def _worker(work: Work) -> None:
    """Train; messages travel to the driver as warnings of the training, from every rank."""
    with handled(LineHandler(lambda line: work.post(Warned(0, line)))):
        trainer = _trainer(work)
    with handled(LineHandler(lambda line: work.post(Warned(trainer.state.nimg, line)))):
        trainer.resume()
        trainer.fit()


def _trainer(work: Work) -> "Trainer":
    from ray.train.torch import get_device

    from ganflow.distributed import collectives
    from ganflow.evaluation.build import build_evaluator
    from ganflow.report.metrics_file import flat
    from ganflow.training.build import build_trainer, open_train
    from ganflow.training.callbacks import Callbacks
    from ganflow.training.checkpoints.async_writer import Writer
    from ganflow.training.history import History

    mine: TrainWork = work.payload
    supply, config = mine.supply, work.config
    run, data, extractors = supply.run(mine.run), supply.data_here(), supply.extractors_here()
    dataset, writer = open_train(data), Writer()
    # The bar of the training goes on while it measures.
    evaluator = build_evaluator(config.evaluation, data, extractors, get_device(), making=work.post)
    if collectives.rank() == 0:
        supply.keep_extractors(extractors)
    samples, names = config.evaluation.snapshot_samples, config.evaluation.snapshot_metrics
    evaluator.check_enough(samples, names, "evaluation.snapshot_samples")
    callbacks = Callbacks(
        listener=each(History(run, writer.put), work.post),
        measure=lambda generator: flat(evaluator.measure(generator, samples, names)),
        pause_requested=work.pause_request(),
    )
    start = supply.start_here(config.training.start)
    return build_trainer(config, dataset, get_device(), run, callbacks, writer, start)
