"""Samples: drawn, measured, compared."""

from typing import Annotated

import typer

from ganflow.cli.options import Reference

app = typer.Typer(rich_markup_mode=None)


@app.command("generate")
def generate(
    model: Annotated[str, typer.Option(help="models:/NAME@ALIAS, models:/NAME/3, runs:/RUN_ID, or a file or folder.")],
    out: Annotated[
        str, typer.Option(help="grid.png, samples.npz, a folder/ of PNGs, walk.gif, .webp, .apng; or s3://…")
    ],
    n: Annotated[int, typer.Option("-n", min=1, help="How many samples.")] = 64,
    seed: Annotated[int, typer.Option(help="The same seed draws the same samples, on every machine.")] = 0,
    label: Annotated[
        str | None, typer.Option(help="Classes by number or name, as 3 or 0,1,2, in turn; without it, all in turn.")
    ] = None,
    truncation: Annotated[
        float | None, typer.Option(help="Fidelity for variety: StyleGAN2's ψ, 0 to 1; else BigGAN's threshold of z.")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Made at once; 256 of small images, fewer of large.")] = None,
    by_class: Annotated[bool, typer.Option("--by-class", help="Of a folder: a folder per class in it.")] = False,
    frames: Annotated[int | None, typer.Option(help="Of a walk: how many pictures; 120.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Of a walk: how long it is, before it begins anew; 6.")] = None,
    stops: Annotated[int | None, typer.Option(help="Of a walk: latents that it leads through and back; 3.")] = None,
    patience: Annotated[float, typer.Option(help="Seconds that S3 may be away.")] = 600,
) -> None:
    """Draw samples of a generator from the registry, a run or a file.

    Memory does not grow with -n for a folder or .npz. A command that was cut off goes on when it is given again. An
    .npz for S3 grows in the working directory first.

    \b
    Examples:
      ganflow generate --model models:/ganflow-digits@challenger -n 64 --seed 7 --out grid.png
      ganflow generate --model model/ -n 1000 --label 3 --out threes.npz
      ganflow generate --model model/ -n 1000000 --by-class --out s3://bucket/digits/
      ganflow generate --model model/ -n 16 --truncation 0.7 --seconds 8 --frames 200 --out walk.gif
    """
    from ganflow.commands.generate import generate as draw

    options = {"by_class": by_class or None, "frames": frames, "seconds": seconds, "stops": stops}
    draw(
        model, out, n=n, seed=seed, label=label, truncation=truncation, batch=batch, patience_s=patience,
        options={name: value for name, value in options.items() if value is not None},
    )  # fmt: skip
    typer.echo(f"{n} samples of {model}, seed {seed}: {out}")


Overrides = Annotated[
    list[str] | None, typer.Argument(help="Of evaluation, as in `evaluation/extractor=inception`. None: params.yaml.")
]


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
