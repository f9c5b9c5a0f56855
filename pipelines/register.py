"""Stage ``register``: the trained model becomes a version of the registered model, with an alias to it.

It takes no arguments: `params.yaml` says what it does, and `ganflow config compose KEY=VALUE …` writes that.
"""

import dataclasses
import json
import sys
from pathlib import Path

from ganflow import config
from ganflow.errors import GanflowError
from ganflow.files import write_whole
from ganflow.terminal import entry_point
from ganflow.tracking import origin, registry

MODEL = Path("model")
METRICS = Path("reports/metrics.json")
PAGE, PICTURES = Path("reports/report.html"), Path("reports/evaluation")
OUT = Path("reports/registry.json")


@entry_point
def main() -> None:
    """Register ``model/`` with its figures and write which version it is."""
    params = config.load()
    try:
        metrics = json.loads(METRICS.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise GanflowError(f"{METRICS} is missing; `dvc repro evaluate` writes it") from None
    pages = [PAGE, *sorted(PICTURES.glob("*.png"))]
    version = registry.register(params, MODEL, metrics, pages, origin.texts(params))
    kept = ("name", "version", "alias", "run_id", "digest")
    facts = {key: value for key, value in dataclasses.asdict(version).items() if key in kept}
    write_whole(OUT, json.dumps(facts, indent=2) + "\n")
    state = "registered" if version.created else "already registered"
    print(f"{state}: models:/{version.name}/{version.version}, alias {version.alias}")


if __name__ == "__main__":
    main(*sys.argv[1:])
