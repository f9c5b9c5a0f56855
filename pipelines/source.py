"""Stage ``source@path``: what ``data.path`` holds → a stamp, for ``prepare`` to depend on.

It runs at every `dvc repro`, and takes no arguments.
"""

import sys

from ganflow import component, config, storage
from ganflow.terminal import entry_point, tell


@entry_point
def main() -> None:
    """Write the stamp anew; the one of before stands where the source is not at hand."""
    source = component.build("source", config.load().data, "data")
    if line := storage.refresh_stamp(source.path, storage.STAMP):
        tell(line)


if __name__ == "__main__":
    main(*sys.argv[1:])
