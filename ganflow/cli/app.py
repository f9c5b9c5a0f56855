"""The commands. What one needs is imported when it runs: `ganflow --help` answers at once."""

import typer
from typer._click import Context
from typer._click.exceptions import (  # Typer's own copy of click, which it does not export
    ClickException,
    MissingParameter,
    NoArgsIsHelpError,
    UsageError,
)
from typer.core import TyperArgument, TyperGroup, TyperOption

from ganflow.cli import cluster, config, registry, samples, serving
from ganflow.errors import GanflowError
from ganflow.terminal.interrupts import ending


class Commands(TyperGroup):
    """Ends by a signal as everything here does; Typer's own way is a line and status of its own."""

    def invoke(self, ctx: Context) -> object:
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


def run() -> None:
    """Run the command line to its end; what was typed wrongly is one line.

    Raises:
        GanflowError: no such command or option, or one that is missing.
        SystemExit: with the command's status.
    """
    try:
        status = app(standalone_mode=False)
    except NoArgsIsHelpError as error:
        error.show()
        raise SystemExit(2) from None
    except ClickException as error:
        raise GanflowError(_one_line(error)) from None
    except typer.Abort:
        raise SystemExit(130) from None
    raise SystemExit(status if isinstance(status, int) else 0)


def _one_line(error: ClickException) -> str:
    """Name what was typed wrongly, what to give, and where the rest is told."""
    message = " ".join(error.format_message().split()).rstrip(".")
    if isinstance(error, MissingParameter) and isinstance(error.param, TyperArgument | TyperOption):
        message = f"{message}: {error.param.help}".rstrip(".")
    context = error.ctx if isinstance(error, UsageError) else None
    return f"{message}; `{context.command_path} --help` tells what there is" if context else message
