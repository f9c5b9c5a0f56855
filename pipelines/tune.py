"""Stage ``tune``: search hyper-parameters with short trainings; writes ``reports/tune/``.

It takes no arguments: `params.yaml` says what it does, and `ganflow config compose KEY=VALUE …` writes that.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ganflow.terminal.console import entry_point
from ganflow.terminal.progress import doing

if TYPE_CHECKING:
    from ganflow.config.schema import Config

DATA, OUT = Path("data"), Path("reports/tune")


@entry_point
@doing("tune: working")
def main() -> None:
    """Search, unless ``tune.trials`` is 0; ``best.yaml`` holds what was found, as overrides of ``params.yaml``."""
    from ganflow.cluster.jobs.trial_files import write_search
    from ganflow.config import params_file

    params = params_file.load()
    if params.tune.trials:
        search(params)
    else:  # whether the networks fit the data is asked by the next stage
        write_search(OUT, None)


def search(params: "Config") -> None:
    """Search ``tune.space``, unless the networks cannot make images of this kind."""
    from ganflow.cluster.session import fork_server

    fork_server.start(params.cluster.address)  # it loads while this process does

    from ganflow.cluster.jobs import ray_tune
    from ganflow.cluster.jobs.trial_files import write_search
    from ganflow.cluster.workers.staging import supply
    from ganflow.config import project_folder
    from ganflow.data.prepared.dataset import Dataset
    from ganflow.methods.build import check_fits
    from ganflow.terminal.interrupts import held
    from ganflow.tracking.registry.loader import load_start
    from ganflow.tracking.runs.late_run import LateRun
    from ganflow.tracking.runs.tune_run import log_search, search_name, tracked_search

    dataset = Dataset.open(DATA)
    check_fits(params, dataset.facts)
    supplied = supply(params.cluster, DATA).with_start(load_start(params, dataset.facts))
    name = search_name(params, dataset.digest, supplied.start)
    unfinished = project_folder.unfinished_runs()
    with (
        project_folder.alone(name),
        LateRun(lambda: tracked_search(params, name, dataset.digest, unfinished)) as tracked,
    ):
        result = ray_tune.search(params, name, supplied, beside=tracked.open)
        with held():
            write_search(OUT, result)
        log_search(tracked.run, params.tune.metric, OUT)
    changes = " ".join(result.best.overrides) or "params.yaml as it stands"
    print(f"tune: best of {len(result.trials)} trials: {result.metric} {result.best.value:.4g} with {changes}")


if __name__ == "__main__":
    main(*sys.argv[1:])
