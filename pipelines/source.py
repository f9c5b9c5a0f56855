"""Stage ``source@path``: what ``data.path`` holds → a stamp, for ``prepare`` to depend on.

It runs at every `dvc repro`, and takes no arguments.
"""

import logging
import sys

from ganflow import storage
from ganflow.config import components, params_file
from ganflow.terminal.console import entry_point

logger = logging.getLogger(__name__)


@entry_point
def main() -> None:
    """Write the stamp anew; the one of before stands where the source is not at hand."""
    source = components.build("source", params_file.load().data, "data")
    if line := storage.refresh_stamp(source.path, storage.STAMP):
        logger.warning(line)


if __name__ == "__main__":
    main(*sys.argv[1:])
