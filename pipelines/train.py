"""Stage ``train``: adversarial training on a gang of workers; writes ``model/`` and the training reports.

It takes no arguments: `params.yaml` says what it does, and `ganflow config compose KEY=VALUE …` writes that.
"""

import sys
from pathlib import Path

from ganflow.progress import doing
from ganflow.terminal import entry_point

DATA, TUNE, MODEL, REPORTS = Path("data"), Path("reports/tune"), Path("model"), Path("reports")


@entry_point
@doing("train: working")
def main() -> None:
    """Train ``params.yaml`` with what ``tune`` found, from the last checkpoint if this run was cut off."""
    from ganflow import config, parts, project
    from ganflow.cluster.report import read_best
    from ganflow.cluster.supply import supply
    from ganflow.cluster.train import train
    from ganflow.conf import override
    from ganflow.generator import FILE
    from ganflow.interrupts import held
    from ganflow.terminal import tell
    from ganflow.tracking.listener import follow
    from ganflow.tracking.training import record_of, tracked_training
    from ganflow.training.build import open_train
    from ganflow.training.checkpoint import CheckpointStore
    from ganflow.training.events import each
    from ganflow.training.export import export_model, export_reports
    from ganflow.training.fingerprint import fingerprint
    from ganflow.training.history import History
    from ganflow.training.progress import Progress

    params = override(config.load(), read_best(TUNE))
    dataset = open_train(DATA)
    facts = dataset.facts
    parts.check_fits(params, facts.resolution, facts.channels, facts.num_classes, facts.kind)
    identity = fingerprint(params, dataset.digest)
    name = f"{params.register.name}-{identity}"
    supplied = supply(params.cluster, DATA)
    run = supplied.run(name, tell)
    history = History(run)
    with project.alone(name, tell):
        with tracked_training(params, name, identity, dataset, project.outbox()) as tracked:
            with Progress("train") as progress:
                train(params, name, supplied, each(progress, follow(tracked, history)))
            with held():
                export_model(params, dataset, run, MODEL)
                export_reports(history, REPORTS)
                record_of(params, tracked, identity, name, dataset, MODEL / FILE).write(MODEL / "run.json")
        CheckpointStore(run).retire()  # only now: until here the same command would have gone on


if __name__ == "__main__":
    main(*sys.argv[1:])
