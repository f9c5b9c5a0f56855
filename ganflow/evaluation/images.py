"""Images from anywhere as a data set: a prepared one, a folder or archive of pictures, or an array in a file."""

from pathlib import Path
from typing import Any

import numpy as np

from ganflow import component, storage
from ganflow.data.dataset import MANIFEST, Dataset, Facts
from ganflow.data.prepare import prepare
from ganflow.data.shards import SplitWriter, workplace, write_manifest
from ganflow.errors import ConfigError, GanflowError
from ganflow.evaluation.samples import Given

ARRAYS = (".npz", ".npy")


def open_images(where: str, scratch: Path) -> Path:
    """The folder of a prepared data set of these images.

    Args:
        where: a prepared data set; a folder, zip or tar of pictures; a ``.npz`` or ``.npy``. Local or ``s3://``.
        scratch: a folder of this call's own, for what is not prepared yet.

    Raises:
        GanflowError: nothing there, pictures that cannot be read or are not of one size, arrays that are no images.
    """
    if (Path(where) / MANIFEST).is_file():
        return Path(where)
    prepared = scratch / "data"
    if where.endswith(ARRAYS):
        _write_array(where, storage.localize(where, scratch), prepared)
        return prepared
    source = component.build("source", {"name": "image_folder", "path": where, "test_share": 0.0}, "images")
    try:
        prepare(source, prepared, locate=storage.localize)
    except ConfigError as error:
        raise GanflowError(f"{where}: {error.allowed}") from None
    return prepared


def as_samples(images: Dataset, reference: Dataset, where: str) -> Given:
    """Images to be held against a reference; their classes are those of the reference, by name, if they name them all.

    Raises:
        GanflowError: another size or number of channels.
    """
    own, wanted = images.facts, reference.facts
    if (own.resolution, own.channels) != (wanted.resolution, wanted.channels):
        raise GanflowError(f"{where} holds {_shape(own)}, the reference {_shape(wanted)}; make them equal first")
    named = bool(images.classes) and set(images.classes) <= set(reference.classes)
    labels = (
        np.array([reference.classes.index(name) for name in images.classes])[np.asarray(images.labels)]
        if named
        else None
    )
    return Given(images, labels)


def _shape(facts: Facts) -> str:
    kind = {1: "grey", 3: "RGB"}.get(facts.channels, f"{facts.channels}-channel")
    return f"{kind} images of {facts.resolution}x{facts.resolution}"


def _write_array(where: str, path: Path, prepared: Path) -> None:
    images, labels = _read_array(where, path)
    classes = [str(label) for label in range(int(labels.max()) + 1)] if labels is not None and labels.size else []
    facts = Facts(images.shape[2], images.shape[1], len(classes))
    with workplace(prepared) as place:
        writer = SplitWriter(place.data, "train", facts, 2**28)
        writer.add(images, np.zeros(len(images), np.int64) if labels is None else labels)
        write_manifest(place.data, facts, classes, {"train": writer.close()}, {"name": "array"})


def _read_array(where: str, path: Path) -> tuple[Any, Any]:
    """uint8 (N, C, R, R) and int64 (N,) or None."""
    try:
        loaded = np.load(path, allow_pickle=False)
        arrays = {"images": loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded}
    except FileNotFoundError:
        raise GanflowError(f"{where}: there is no such file") from None
    except Exception as error:  # zipfile, zlib and numpy each refuse a damaged file in their own way
        raise GanflowError(f"{where}: no readable array: {' '.join(str(error).split())}") from None
    images = next((arrays[name] for name in ("images", "arr_0") if name in arrays), None)
    if images is None:
        raise GanflowError(f"{where} has {', '.join(arrays) or 'nothing'}; images are expected as `images` or `arr_0`")
    labels = next((arrays[name] for name in ("labels", "arr_1") if name in arrays), None)
    return _checked_images(where, images), None if labels is None else _checked_labels(where, labels, len(images))


def _checked_images(where: str, images: Any) -> Any:
    if images.dtype != np.uint8:
        said = _range(images) if images.size and np.issubdtype(images.dtype, np.number) else ""
        raise GanflowError(f"{where}: images are {images.dtype}{said}; they must be uint8, 0 to 255")
    images = images[..., None] if images.ndim == 3 else images
    fits = images.ndim == 4 and len(images) and images.shape[1] == images.shape[2] and images.shape[3] in (1, 3)
    if not fits:
        raise GanflowError(f"{where}: images are {images.shape}; they must be (N, H, W, C), H = W, C 1 or 3")
    return images.transpose(0, 3, 1, 2)


def _range(images: Any) -> str:
    if not np.isfinite(images).all():
        return " with NaN or infinity"
    return f" from {images.min():g} to {images.max():g}"


def _checked_labels(where: str, labels: Any, count: int) -> Any:
    fits = np.issubdtype(labels.dtype, np.integer) and labels.shape == (count,) and (labels >= 0).all()
    if not fits:
        raise GanflowError(
            f"{where}: labels are {labels.dtype}{labels.shape}; they must be {count} whole numbers from 0"
        )
    return labels.astype(np.int64)
