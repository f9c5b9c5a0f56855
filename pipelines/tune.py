"""Stage ``tune``: search hyper-parameters with short trainings; writes ``reports/tune/``.

It takes no arguments: `params.yaml` says what it does, and `ganflow config compose KEY=VALUE …` writes that.
"""

import sys
from pathlib import Path

from ganflow.progress import doing
from ganflow.terminal import entry_point

DATA, OUT = Path("data"), Path("reports/tune")


@entry_point
@doing("tune: working")
def main() -> None:
    """Search, unless ``tune.trials`` is 0; ``best.yaml`` holds what was found, as overrides of ``params.yaml``."""
    from ganflow import config, parts, project
    from ganflow.cluster.report import write_search
    from ganflow.cluster.search import search
    from ganflow.cluster.supply import supply
    from ganflow.data.dataset import Dataset
    from ganflow.interrupts import held
    from ganflow.terminal import tell
    from ganflow.tracking.search import log_search, tracked_search
    from ganflow.training.fingerprint import fingerprint

    params = config.load()
    dataset = Dataset.open(DATA)
    facts = dataset.facts
    parts.check_fits(params, facts.resolution, facts.channels, facts.num_classes, facts.kind)
    if not params.tune.trials:
        write_search(OUT, None)
        return
    name = f"{params.register.name}-tune-{fingerprint(params, dataset.digest)}"
    with project.alone(name, tell), tracked_search(params, name, dataset.digest, project.outbox()) as tracked:
        result = search(params, name, supply(params.cluster, DATA))
        with held():
            write_search(OUT, result)
        log_search(tracked, params.tune.metric, OUT)
    changes = " ".join(result.best.overrides) or "params.yaml as it stands"
    print(f"tune: best of {len(result.trials)} trials: {result.metric} {result.best.value:.4g} with {changes}")


if __name__ == "__main__":
    main(*sys.argv[1:])
