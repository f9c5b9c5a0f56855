"""The commands. What one needs is imported when it runs: `ganflow --help` answers at once."""

from typing import Any

import typer
from typer.core import TyperGroup

from ganflow.cli import cluster, config, registry, samples, serving
from ganflow.interrupts import ending


class Commands(TyperGroup):
    """Ends by a signal as everything here does; Typer's own way is a line and status of its own."""

    def invoke(self, ctx: Any) -> Any:
        with ending():
            return super().invoke(ctx)


# No rich markup: importing rich would take most of the time of `--help`.
app = typer.Typer(
    name="ganflow",
    cls=Commands,
    help="""Train GANs as a pipeline: `dvc repro` runs it, this command does what surrounds it.

\b
Examples:
  ganflow config compose training.kimg=100 gan/loss=minimax
  dvc repro
  ganflow generate --model models:/ganflow-digits@challenger -n 64 --seed 7 --out grid.png
""",
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(config.app, name="config")
for group in (samples, registry, serving, cluster):
    app.add_typer(group.app)  # without a name: its commands are this one's
