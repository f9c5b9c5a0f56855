"""`ganflow generate`: samples of a model as one picture, an array or a folder of images."""

import io
from pathlib import Path

import numpy as np

from ganflow import config, images
from ganflow.errors import require
from ganflow.files import write_whole
from ganflow.generator import Generator, Samples
from ganflow.schema import TrackingConfig
from ganflow.tracking.source import load_generator

FORMS = "a name that ends in .png (one picture) or .npz (an array), or a folder that ends in / (an image each)"
_MOST_COLUMNS = 20


def generate(model: str, n: int, seed: int, label: int | None, out: str) -> None:
    """Draw ``n`` samples and write them.

    Raises:
        GanflowError: no such model, or an ``out`` of another form.
    """
    path = Path(out)
    folder = out.endswith("/") or path.is_dir()
    require(folder or path.suffix in (".png", ".npz"), "out", out, FORMS)
    generator = load_generator(model, _tracking(model))
    samples = generator.sample(n, seed, label)
    if folder:
        require(not generator.spec.points, "out", out, "points are no images; name a .png (all in one plot) or .npz")
        _write_folder(path, samples)
    elif path.suffix == ".npz":
        write_whole(path, _npz(generator, samples, label))
    else:
        write_whole(path, images.picture(samples, generator.spec.centres, _columns(generator, label, n)))


def _tracking(model: str) -> TrackingConfig:
    """Where MLflow is: as ``params.yaml`` says, where there is one."""
    if model.startswith(("models:", "runs:")) and config.PARAMS.is_file():
        return config.load().tracking
    return TrackingConfig(experiment="")


def _columns(generator: Generator, label: int | None, n: int) -> int | None:
    """A class per column where the samples go through the classes in turn."""
    classes = generator.spec.num_classes
    return classes if label is None and 1 < classes <= min(n, _MOST_COLUMNS) else None


def _npz(generator: Generator, samples: Samples, label: int | None) -> bytes:
    stream = io.BytesIO()
    labels = generator.labels(0, len(samples), label)
    name = "points" if generator.spec.points else "images"
    arrays = {name: samples} if labels is None else {name: samples, "labels": labels.numpy()}
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def _write_folder(folder: Path, samples: Samples) -> None:
    for index, sample in enumerate(samples):
        write_whole(folder / f"{index:06d}.png", images.png(sample.astype(np.uint8, copy=False)))
