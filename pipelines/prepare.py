"""Stage ``prepare``: the source that ``data`` names → ``data/`` and ``reports/prepare.json``.

It takes no arguments: `params.yaml` says what it does, and `ganflow config compose KEY=VALUE …` writes that.
"""

import logging
import sys
from functools import partial
from pathlib import Path

from ganflow.terminal.console import entry_point
from ganflow.terminal.progress import doing

logger = logging.LoggerAdapter(logging.getLogger(__name__), {"who": "prepare"})

DATA, REPORT = Path("data"), Path("reports/prepare.json")


@entry_point
@doing("prepare: working")
def main() -> None:
    """Prepare the data set that ``params.yaml`` asks for, unless the networks cannot make such images."""
    from ganflow import records, storage
    from ganflow.config import components, params_file
    from ganflow.data import summary
    from ganflow.data.decode_pool import pool_map, warm_up
    from ganflow.data.prepare import prepare
    from ganflow.methods.build import check_fits

    params = params_file.load()
    source = components.build("source", params.data, "data")
    if not params.data.get("watch"):  # a stamp of other data must not count among what these were made from
        storage.STAMP.unlink(missing_ok=True)
    report = prepare(
        source, DATA, locate=storage.localize, check=partial(check_fits, params), mapper=pool_map, warm_up=warm_up
    )
    records.write(REPORT, report)
    for line in summary.lines(report):
        logger.info(line)


if __name__ == "__main__":
    main(*sys.argv[1:])
