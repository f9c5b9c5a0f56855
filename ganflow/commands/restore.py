"""`ganflow restore`: images of a folder, archive or file, each made anew by a model that restores."""

import tempfile
from pathlib import Path

import torch

from ganflow import storage
from ganflow.errors import require
from ganflow.generation.own_pictures import OwnMasks, OwnPictures
from ganflow.generation.restorer import Restorer
from ganflow.signals.image_grid import png
from ganflow.terminal.progress import doing, progress
from ganflow.tracking.registry.loader import load_generator, tracking_of


def restore(model: str, source: str, out: str, *, masks: str, degrade: bool, tile: int, seed: int) -> list[str]:
    """Restore every image of a source into a folder of PNGs by the same names, and give lines to print.

    Args:
        model: where the model is.
        source: a folder, zip, tar or one image, local or on S3.
        out: the folder, local or on S3.
        masks: a folder with a picture by the name of each image, white where its pixels are hidden; "" takes what is
            transparent for hidden.
        degrade: first degrade the images as the model's data were.
        tile: the side of what is made at once, in pixels.
        seed: of z, where the model takes some.

    Raises:
        GanflowError: no such model, images that cannot be read or do not fit it, before the first is restored.
    """
    with doing("restore: loading the model"):
        generator = load_generator(model, tracking_of(model), "cuda" if torch.cuda.is_available() else "cpu")
    restorer = Restorer(generator, tile)
    none = "none: this model was not trained to fill in hidden pixels"
    require(restorer.fills or not masks, "masks", masks, none)
    target = storage.open_storage(out if storage.is_remote(out) else Path(out).expanduser())
    channels = generator.spec.shape[0] if degrade else restorer.channels
    with tempfile.TemporaryDirectory() as scratch:
        check = restorer.check_whole if degrade else restorer.check_size
        pictures = OwnPictures.of(source, Path(scratch), channels, check)
        hidden = OwnMasks.of(masks, pictures) if masks else None
        names = pictures.targets()
        with progress(len(names), "restore") as advance:
            for index, (file, name) in enumerate(zip(pictures.files, names, strict=True)):
                pixels, transparent = pictures.read(file)
                mask = hidden.read(file, pixels) if hidden else transparent
                given = restorer.degraded(pixels, index) if degrade else restorer.given(pixels, mask)
                target.write(name, png(restorer.restored(given, seed)))
                advance(1)
    return [f"{len(names):,} image{'s' if len(names) > 1 else ''} of {source} restored by {model}: {out}"]
