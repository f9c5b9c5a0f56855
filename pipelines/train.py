"""Stage ``train``: adversarial training on a worker group; writes ``model/`` and the training reports.

It takes no arguments: `params.yaml` says what it does, and `ganflow config compose KEY=VALUE …` writes that.
"""

import sys
from pathlib import Path

from ganflow.terminal.console import entry_point
from ganflow.terminal.progress import doing

DATA, TUNE, MODEL, REPORTS = Path("data"), Path("reports/tune"), Path("model"), Path("reports")


@entry_point
@doing("train: working")
def main() -> None:
    """Train ``params.yaml`` with what ``tune`` found, from the last checkpoint if this run was cut off."""
    from ganflow.cluster.session import fork_server
    from ganflow.config import params_file, project_folder

    searched = params_file.load()
    fork_server.start(searched.cluster.address)  # it loads while this process does

    from ganflow.cluster.jobs.ray_train import train
    from ganflow.cluster.jobs.trial_files import read_best
    from ganflow.cluster.workers.staging import supply
    from ganflow.config.composition import override
    from ganflow.methods.build import check_fits
    from ganflow.terminal.interrupts import held
    from ganflow.tracking.registry.loader import load_start
    from ganflow.tracking.runs.callback import follow
    from ganflow.tracking.runs.late_run import LateRun
    from ganflow.tracking.runs.train_run import record_of, tracked_training
    from ganflow.tracking.runs.tune_run import reconcile_search
    from ganflow.training.build import open_train
    from ganflow.training.checkpoints.checkpoint import CheckpointStore
    from ganflow.training.checkpoints.fingerprint import fingerprint
    from ganflow.training.events import Kept, each
    from ganflow.training.history import History
    from ganflow.training.model_folder import export_model, export_reports
    from ganflow.training.progress_bar import Progress

    params = override(searched, read_best(TUNE))
    dataset = open_train(DATA)
    check_fits(params, dataset.facts)
    supplied = supply(params.cluster, DATA).with_start(start := load_start(params, dataset.facts))
    identity = fingerprint(params, dataset.digest, supplied.start)
    name = f"{params.register.name}-{identity}"
    unfinished = project_folder.unfinished_runs()
    reconcile_search(searched, dataset.digest, supplied.start, TUNE, unfinished)
    begun_with = f"{start.source} ({supplied.start[:12]})" if start else None
    run = supplied.run(name)
    history = History(run)
    with project_folder.alone(name):
        with LateRun(lambda: tracked_training(params, name, identity, dataset, unfinished, begun_with)) as tracked:
            events = Kept()
            with Progress("train") as progress:
                train(
                    params, name, supplied, each(progress, events),
                    beside=lambda: events.hand_to(follow(tracked.open(), history)),
                )  # fmt: skip
            with held():
                export_model(params, dataset, run, MODEL)
                export_reports(history, REPORTS)
                record = record_of(params, tracked.run, identity, name, dataset, MODEL, begun_with)
                record.write(MODEL / "run.json")
        CheckpointStore(run).retire()  # only now: until here the same command would have gone on


if __name__ == "__main__":
    main(*sys.argv[1:])
