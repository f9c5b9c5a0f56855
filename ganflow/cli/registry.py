"""Registered models: where they come from, and which is champion."""

from pathlib import Path
from typing import Annotated

import typer

from ganflow.cli.options import Reference

app = typer.Typer(rich_markup_mode=None)


@app.command("register")
def register() -> None:
    """Put the model that stands in model/ into the registry, or point the alias to its version if it is there.

    After `dvc pull` on another machine, after `dvc exp apply`, or when the store is new: the weights are the same
    version wherever they are registered, known by their digest. A run that this store does not have is made of what
    came with the model, and says which run it stands for.

    \b
    Example:
      dvc pull && ganflow register
    """
    from ganflow.commands.register import register as command

    typer.echo(command())


@app.command("import")
def import_model(
    file: Annotated[Path, typer.Argument(help="A .safetensors file, or what torch.save wrote of state dicts.")],
    to: Annotated[Path, typer.Option(help="The model's folder, which must not be there.")],
    options: Annotated[
        list[str] | None, typer.Argument(help="What no tensor tells, as clamp=0 of a stylegan2 trained in float32.")
    ] = None,
    network: Annotated[str, typer.Option(help="stylegan2, r3gan or biggan. Without it the tensors' names tell.")] = "",
    discriminator: Annotated[Path | None, typer.Option(help="The discriminator's file, if it has its own.")] = None,
    generator_only: Annotated[bool, typer.Option("--generator-only", help="Leave the discriminator out.")] = False,
) -> None:
    """Make a model of weights that another code base published, to generate, evaluate, serve or train on.

    It takes the state dicts of StyleGAN2 (NVIDIA's stylegan2-ada-pytorch, rosinality's), of R3GAN and of BigGAN
    (ajbrock's), and makes images as the authors' code does. The tensors tell sizes, classes and layers; lines say what
    was understood and what was left out. No code of a file is run: a pickled network, as network-snapshot.pkl, is
    refused, and docs/registry.md says how to save its state dicts.

    \b
    Examples:
      ganflow import ffhq256.pt --to ffhq/ && ganflow generate --model ffhq/ -n 16 --truncation 0.7 --out grid.png
      ganflow import G_ema.pth --discriminator D.pth --to biggan/
      ganflow import network.safetensors --to theirs/ --network stylegan2 clamp=0 mbstd_group=32
    """
    from ganflow.commands.import_model import import_model as command

    for line in command(file, to, network, options or [], discriminator, generator_only):
        typer.echo(line)


@app.command("pages")
def pages(
    at: Annotated[
        str | None, typer.Option(help="Of the MLflow server. None: MLFLOW_TRACKING_URI or tracking.uri.")
    ] = None,
) -> None:
    """Say where MLflow shows this project's runs and its registered model.

    \b
    Example:
      ganflow pages --at http://127.0.0.1:5000
    """
    from ganflow.commands.pages import pages as addresses

    for line in addresses(at):
        typer.echo(line)


@app.command("lineage")
def lineage(
    model: Annotated[str | None, typer.Argument(help="models:/NAME/3 or models:/NAME@ALIAS.")] = None,
    data: Annotated[
        str | None, typer.Option("--data", help="DVC's md5 of data, or its beginning: the versions trained on them.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs, with all parameters.")] = False,
) -> None:
    """Say where a registered version comes from: run, commit, data, search, environment. Or which versions data led to.

    \b
    Examples:
      ganflow lineage models:/ganflow-digits@challenger
      ganflow lineage --data 2d3e4f
    """
    from ganflow.commands.lineage import lineage as tell

    for line in tell(model, data, as_json=as_json):
        typer.echo(line)


@app.command("reproduce")
def reproduce(
    model: Annotated[str, typer.Argument(help="models:/NAME/3 or models:/NAME@ALIAS.")],
    into: Annotated[
        Path | None, typer.Option(help="A folder that is not there. Else below .ganflow/reproduced.")
    ] = None,
) -> None:
    """Make a registered version again and compare: its commit in a git worktree, its parameters, its data from DVC.

    Trains and evaluates on this machine; nothing is registered. Ends with status 1 if the weights or a figure differ,
    and says which.

    \b
    Example:
      ganflow reproduce models:/ganflow-digits/3
    """
    from ganflow.commands.reproduce import reproduce as again

    differences = again(model, into)
    for difference in differences:
        typer.echo(f"{difference.what}: {difference.then} then, {difference.now} now")
    if differences:
        raise typer.Exit(1)
    typer.echo(f"{model}: the same weights to the bit, and the same figures")


Name = Annotated[str | None, typer.Argument(help="The registered model. None: register.name of params.yaml.")]


@app.command("promote")
def promote(
    challenger: Annotated[
        str | None, typer.Argument(help="NAME, NAME@ALIAS or NAME/VERSION. None: register.name and its alias.")
    ] = None,
    reference: Reference = "data",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure and decide, write nothing.")] = False,
    page: Annotated[Path | None, typer.Option(help="An .html file that gets the decision, too.")] = None,
) -> None:
    """Measure challenger and champion side by side; the challenger becomes champion if the gate in params.yaml holds.

    The gate is `promotion`: better by more than noise on `metric`, no other figure worse than by its `limits`, no
    slower than `latency` times the champion. Where there is no champion yet, the thresholds in `first` take its place.
    The decision goes to the version's tags and, with all figures, to `promotion/` of the challenger's run. Ends with
    status 0 if the challenger is champion, 1 if it was refused.

    \b
    Examples:
      ganflow promote --dry-run
      ganflow promote ganflow-digits@challenger
      ganflow promote ganflow-digits/3 --reference data --page decision.html
    """
    from ganflow.commands import promote as command

    promotion = command.promote(challenger, reference, dry_run=dry_run)
    for line in promotion.lines:
        typer.echo(line)
    if page is not None and promotion.record is not None:
        command.write_page(page, promotion.record)
    if not promotion.promoted:
        raise typer.Exit(1)


@app.command("rollback")
def rollback(name: Name = None) -> None:
    """Set the champion before this one back. Again goes further back; `ganflow champions` shows what happened.

    \b
    Examples:
      ganflow rollback
      ganflow rollback ganflow-digits
    """
    from ganflow.commands import promote as command

    typer.echo(command.rollback(name))


@app.command("champions")
def champions(name: Name = None) -> None:
    """List every change of champion: when, by promotion or rollback, from and to which version, by whom."""
    from ganflow.commands import promote as command

    for line in command.champions(name):
        typer.echo(line)
