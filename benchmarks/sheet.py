"""The first samples of several generators as one picture, a row each: the sheets of docs/results.md.

python benchmarks/sheet.py articles-digits.png one/model two/model …      folders of a pipeline's `model`, or files
"""

import sys
from pathlib import Path

import numpy as np

from ganflow.methods import generator
from ganflow.signals.image_grid import grid
from ganflow.terminal.console import entry_point

COLUMNS = 20


@entry_point
def main(out: str, *models: str) -> None:
    files = [Path(model) / generator.FILE if Path(model).is_dir() else Path(model) for model in models]
    rows = [generator.load(file).sample(COLUMNS, seed=0) for file in files]
    Path(out).write_bytes(grid(np.concatenate(rows), COLUMNS))


if __name__ == "__main__":
    main(*sys.argv[1:])
