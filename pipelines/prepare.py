"""Stage ``prepare``: the source that ``data`` names → ``data/`` and ``reports/prepare.json``."""

import json
from pathlib import Path

from ganflow import component, config, storage
from ganflow.cluster.decode import ray_map
from ganflow.data.prepare import prepare
from ganflow.errors import entry_point

DATA = Path("data")
REPORT = Path("reports/prepare.json")


@entry_point
def main() -> None:
    """Prepare the data set that ``params.yaml`` asks for."""
    params = config.load()
    report = prepare(
        component.build("source", params.data, "data"),
        DATA,
        locate=storage.localize,
        mapper=ray_map(params.cluster.address),
    )
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
