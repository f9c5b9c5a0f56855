"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Params = Annotated[Path, typer.Option("--params", help="The file to read.")]
Reference = Annotated[str, typer.Option(help="A prepared data set, or a folder, archive or array of images.")]
