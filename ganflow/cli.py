"""The `ganflow` command. What a command needs is imported when it runs: `ganflow --help` answers at once."""

from pathlib import Path
from typing import Annotated

import typer

from ganflow.errors import entry_point

# No rich markup: importing rich would take most of the time of `--help`.
app = typer.Typer(
    name="ganflow",
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
config_app = typer.Typer(
    help="Compose, check and show params.yaml, the configuration that `dvc repro` runs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(config_app, name="config")

Params = Annotated[Path, typer.Option("--params", help="The file to read.")]


@config_app.command("compose")
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
    from ganflow import conf, config
    from ganflow.commands import config as command

    if stdout:
        typer.echo(config.dump(conf.compose(overrides or [])), nl=False)
        return
    for line in command.compose(overrides or [], out):
        typer.echo(line)


@config_app.command("check")
def config_check(params: Params = Path("params.yaml")) -> None:
    """Say where params.yaml differs from the schema (exit status 1), and which values are not its recipe's."""
    from ganflow.commands import config as command

    misfits, own = command.check(params)
    for line in misfits:
        typer.echo(line, err=True)
    if misfits:
        raise typer.Exit(1)
    for line in own:
        typer.echo(line)
    typer.echo(f"{params} is right; {len(own) or 'no'} values differ from its recipe")


@config_app.command("show")
def config_show(
    key: Annotated[str | None, typer.Argument(help="A part only, as in `training`.")] = None,
    params: Params = Path("params.yaml"),
) -> None:
    """Print the configuration as the stages see it: params.yaml on the schema."""
    from ganflow.commands import config as command

    typer.echo(command.show(params, key), nl=False)


@config_app.command("choices")
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


@app.command("generate")
def generate(
    model: Annotated[str, typer.Option(help="models:/NAME@ALIAS, models:/NAME/3, runs:/RUN_ID, or a file or folder.")],
    out: Annotated[str, typer.Option(help="grid.png, samples.npz, or a folder/ of PNGs.")],
    n: Annotated[int, typer.Option("-n", min=1, help="How many samples.")] = 64,
    seed: Annotated[int, typer.Option(help="The same seed draws the same samples, on every machine.")] = 0,
    label: Annotated[int | None, typer.Option(help="One class; without it, every class in turn.")] = None,
) -> None:
    """Draw samples of a generator from the registry, a run or a file.

    \b
    Examples:
      ganflow generate --model models:/ganflow-digits@challenger -n 64 --seed 7 --out grid.png
      ganflow generate --model model/ -n 1000 --label 3 --out threes.npz
    """
    from ganflow.commands.generate import generate as draw

    draw(model, n, seed, label, out)
    typer.echo(f"{n} samples of {model}, seed {seed}: {out}")


Overrides = Annotated[
    list[str] | None, typer.Argument(help="Of evaluation, as in `evaluation/extractor=inception`. None: params.yaml.")
]
Reference = Annotated[str, typer.Option(help="A prepared data set, or a folder, archive or array of images.")]


@app.command("evaluate")
def evaluate(
    samples: Annotated[str, typer.Option(help="A folder, zip or tar of images, an .npz, or a model.")],
    overrides: Overrides = None,
    reference: Reference = "data",
    out: Annotated[str | None, typer.Option(help="A .json for the figures, or an .html page for people.")] = None,
) -> None:
    """Measure images of any generator by the same code and protocol as the pipeline's own.

    \b
    Examples:
      ganflow evaluate --samples theirs/ --reference data --out theirs.html
      ganflow evaluate --samples theirs.npz --reference faces/ evaluation/extractor=inception \\
                       evaluation.extractor.weights=pt_inception-2015-12-05-6726825d.pth
    """
    from ganflow.commands import evaluate as command

    for line in command.evaluate(samples, reference, overrides or [], out):
        typer.echo(line)


@app.command("compare")
def compare(
    a: Annotated[str, typer.Argument(help="models:/NAME@ALIAS, runs:/RUN_ID, a model's folder, or images.")],
    b: Annotated[str, typer.Argument(help="The same for the other.")],
    overrides: Overrides = None,
    reference: Reference = "data",
) -> None:
    """Say which of two models or sets of images is better, by how much, and whether that is more than noise.

    \b
    Examples:
      ganflow compare models:/ganflow-digits@champion models:/ganflow-digits@challenger
      ganflow compare model/ theirs/ --reference data
    """
    from ganflow.commands import evaluate as command

    for line in command.compare_two(a, b, reference, overrides or []):
        typer.echo(line)


@entry_point
def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
