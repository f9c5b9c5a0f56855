"""`ganflow detect`: how anomalous each image of a folder, archive or file is, and where."""

import csv
import io
import tempfile
from pathlib import Path

import torch

from ganflow import storage
from ganflow.atomic_files import write_out
from ganflow.data.decoding.decode import Frame
from ganflow.errors import require
from ganflow.generation.detection import as_picture, score_pictures
from ganflow.generation.own_pictures import OwnPictures
from ganflow.methods.generator import Generator
from ganflow.signals.image_grid import png
from ganflow.terminal.progress import doing, progress
from ganflow.tracking.registry.loader import load_generator, tracking_of

BROUGHT = "every image was brought to the brightness and contrast of the model's images"
DETECTS_NOT = "was not trained on data that say what is normal; train with data.normal or data=inspection"


def detect(model: str, source: str, out: str, *, maps: str) -> list[str]:
    """Score every image of a source into a table, and give lines to print.

    Args:
        model: where the model is.
        source: a folder, zip, tar or one image, local or on S3.
        out: the table, a .csv: file, score, and whether that is an alarm.
        maps: a folder, local or on S3, for a PNG of each image, white where it is anomalous; "" writes none.

    Raises:
        GanflowError: no such model, images that cannot be read, or a file that cannot be written.
    """
    require(Path(out).suffix == ".csv", "out", out, "a name that ends in .csv")
    with doing("detect: loading the model"):
        generator = load_generator(model, tracking_of(model), "cuda" if torch.cuda.is_available() else "cpu")
    require(generator.spec.detects, "model", model, DETECTS_NOT)
    channels, height, width = generator.spec.shape
    target = storage.open_storage(maps if storage.is_remote(maps) else Path(maps).expanduser()) if maps else None
    sizes = set[tuple[int, int]]()
    with tempfile.TemporaryDirectory() as scratch:
        frame = Frame(resize=f"{width}x{height}")
        pictures = OwnPictures.of(source, Path(scratch), channels, lambda name, w, h: sizes.add((w, h)), frame)
        names, scores = pictures.targets(), list[float]()
        with progress(len(names), "detect") as advance:
            for file, name in zip(pictures.files, names, strict=True):
                scored = score_pictures(generator, pictures.read(file).pixels)
                scores.append(float(scored.scores[0]))
                if target:
                    target.write(name, png(as_picture(scored.maps)[0]))
                advance(1)
    write_out(Path(out), _table([file.name for file in pictures.files], scores, generator))
    lines = [*_resized(sizes, width, height), *([BROUGHT] if generator.spec.light else [])]
    return [*lines, *_alarms(scores, generator), f"{len(scores):,} scores: {out}"]


def _table(files: list[str], scores: list[float], generator: Generator) -> str:
    limit = generator.spec.detection.get("threshold")
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(["file", "score", *([] if limit is None else ["alarm"])])
    for file, value in zip(files, scores, strict=True):
        table.writerow([file, f"{value:.6g}", *([] if limit is None else [int(value > limit)])])
    return stream.getvalue()


def _resized(sizes: set[tuple[int, int]], width: int, height: int) -> list[str]:
    others = sizes - {(width, height)}
    some = ", ".join(f"{w}x{h}" for w, h in sorted(others)[:3])
    return [f"images of {some}{', …' if len(others) > 3 else ''} were resized to {width}x{height}"] if others else []


def _alarms(scores: list[float], generator: Generator) -> list[str]:
    options = generator.spec.detection
    limit = options.get("threshold")
    if limit is None:
        return ["no normal images were held out when the model was trained, so that no threshold is known"]
    alarms, rate = sum(value > limit for value in scores), 1 - options["quantile"]
    of = f"{alarms:,} of {len(scores):,} images are above the threshold {limit:.4g}"
    return [f"{of}, which {rate:.3g} of {options['held_out']:,} normal images that were held out exceed"]
