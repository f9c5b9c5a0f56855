"""`ganflow config …`: the configuration that `dvc repro` runs."""

import gc
from pathlib import Path
from typing import Annotated

import typer

from ganflow.cli.options import Params

app = typer.Typer(
    help="Compose, check and show params.yaml, the configuration that `dvc repro` runs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def short() -> None:
    gc.set_threshold(50_000)  # what is imported and composed lives to the end: to look for garbage took a tenth


@app.command("compose")
def config_compose(
    overrides: Annotated[list[str] | None, typer.Argument(help="Hydra overrides: group=choice, key=value.")] = None,
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("params.yaml"),
    stdout: Annotated[bool, typer.Option("--stdout", help="Print the configuration, write nothing.")] = False,
) -> None:
    """Write params.yaml from the default recipe, the named choices and values; say what changed.

    \b
    Examples:
      ganflow config compose
      ganflow config compose gan/loss=minimax training.batch=128 optimizers.generator.lr=0.001
      ganflow config compose 'gan/regularizers=[]' --stdout
    """
    from ganflow.commands import config as command
    from ganflow.config import composition, params_file

    if stdout:
        typer.echo(params_file.dump(composition.compose(overrides or [])), nl=False)
        return
    for line in command.compose(overrides or [], out):
        typer.echo(line)


@app.command("check")
def config_check(params: Params = Path("params.yaml")) -> None:
    """Say where params.yaml differs from the schema (exit status 1), and which values are not its recipe's."""
    from ganflow.commands import config as command

    misfits, changed = command.check(params)
    for line in misfits:
        typer.echo(line, err=True)
    if misfits:
        raise typer.Exit(1)
    for line in changed:
        typer.echo(line)
    typer.echo(f"{params} is right; {len(changed) or 'no'} values differ from its recipe")


@app.command("show")
def config_show(
    key: Annotated[str | None, typer.Argument(help="A part only, as in `training`.")] = None,
    params: Params = Path("params.yaml"),
) -> None:
    """Print the configuration as the stages see it: params.yaml on the schema."""
    from ganflow.commands import config as command

    typer.echo(command.show(params, key), nl=False)


@app.command("choices")
def config_choices(
    group: Annotated[
        str | None, typer.Argument(help="As in `gan/loss`, or `experiment`: the recipes. Everything without it.")
    ] = None,
) -> None:
    """List what there is to choose: the recipes, and every group's choices with their options and defaults.

    \b
    Example:
      ganflow config choices gan/generator
      ganflow config choices experiment
    """
    from ganflow.commands import config as command

    for line in command.choices(group):
        typer.echo(line)
