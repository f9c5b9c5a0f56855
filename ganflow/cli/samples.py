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


@app.command("restore")
def restore(
    source: Annotated[str, typer.Argument(help="A folder, zip or tar of images, or one image; local or s3://…")],
    out: Annotated[str, typer.Argument(help="The folder for PNGs by the same names; local or s3://…")],
    model: Annotated[str, typer.Option(help="models:/NAME@ALIAS, models:/NAME/3, runs:/RUN_ID, or a file or folder.")],
    masks: Annotated[
        str, typer.Option(help="A folder of pictures by the images' names, white where pixels are hidden.")
    ] = "",
    degrade: Annotated[
        bool, typer.Option("--degrade", help="First degrade the images as the model's data were: a trial on good ones.")
    ] = False,
    tile: Annotated[int, typer.Option(min=1, help="Larger images are made in tiles of so many pixels.")] = 512,
    seed: Annotated[int, typer.Option(help="Of the noise, where the model takes some.")] = 0,
) -> None:
    """Restore images: denoise, deblur, enlarge, fill in, colour, as the model was trained to.

    Without --masks what is transparent in a picture is hidden, for a model that fills in.

    \b
    Examples:
      ganflow restore noisy/ clean/ --model models:/ganflow-denoise@champion
      ganflow restore small.png large/ --model model/
      ganflow restore photos/ filled/ --masks masks/ --model model/
      ganflow restore photos/ trial/ --degrade --model model/
    """
    from ganflow.commands.restore import restore as command

    for line in command(model, source, out, masks=masks, degrade=degrade, tile=tile, seed=seed):
        typer.echo(line)


@app.command("blend")
def blend(
    a: Annotated[str, typer.Argument(help="models:/NAME@ALIAS, models:/NAME/3, runs:/RUN_ID, or a file or folder.")],
    b: Annotated[str, typer.Argument(help="The same for a model that began training with the weights of A.")],
    to: Annotated[str, typer.Option(help="The folder for the model between them.")],
    alpha: Annotated[float, typer.Option(min=0, max=1, help="0 is A, 1 is B.")] = 0.5,
) -> None:
    """Make the model between two of the same network, as ESRGAN does between the highest PSNR and the sharpest images.

    It can be restored with, served and measured by its folder.

    \b
    Example:
      ganflow blend models:/ganflow-super-resolution@champion model/ --alpha 0.8 --to between/
    """
    from ganflow.commands.blend import blend as command

    typer.echo(command(a, b, alpha, to))


@app.command("detect")
def detect(
    source: Annotated[str, typer.Argument(help="A folder, zip or tar of images, or one image; local or s3://…")],
    model: Annotated[str, typer.Option(help="models:/NAME@ALIAS, models:/NAME/3, runs:/RUN_ID, or a file or folder.")],
    out: Annotated[str, typer.Option(help="The table, a .csv.")] = "scores.csv",
    maps: Annotated[str, typer.Option(help="A folder for PNGs that are white where an image is anomalous.")] = "",
) -> None:
    """Say how anomalous images are, by a model that has seen normal ones alone.

    The higher a score, the more anomalous. An alarm is a score above what nearly all normal images have that were held
    out from training. Images of another size are resized to the model's.

    \b
    Examples:
      ganflow detect parts/ --model models:/ganflow-tiles@champion --out scores.csv --maps maps/
    """
    from ganflow.commands.detect import detect as command

    for line in command(model, source, out, maps=maps):
        typer.echo(line)


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
