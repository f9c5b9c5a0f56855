"""Images and their classes in a ``.npz`` or ``.npy``: ganflow's own, guided diffusion's, or any other.

Shapes: N images, C channels (1 grey, 3 RGB), H rows and W columns of pixels, K classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganflow.data.prepared.dataset import Labels
from ganflow.errors import GanflowError

SUFFIXES = (".npz", ".npy")
CHANNELS = (1, 3)
IMAGES, LABELS = ("images", "arr_0"), ("labels", "arr_1")  # by name, or as guided diffusion stores them


@dataclass(frozen=True)
class Array:
    """The content of a file."""

    images: Any  # uint8 (N, C, H, W)
    labels: Labels | None  # int64 (N,), of ``classes``
    classes: Sequence[str]  # that have an image, in order
    understood: Sequence[str]  # lines about what was not plain


def read_array(where: str, path: Path) -> Array:
    """Read a file.

    Raises:
        GanflowError: no such file, a damaged one, or arrays that are not images or classes.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        single = isinstance(loaded, np.ndarray)
        names = ["images"] if single else list(loaded)
        wanted = {name: loaded if single else loaded[name] for name in names if name in (*IMAGES, *LABELS)}
    except FileNotFoundError:
        raise GanflowError(f"{where}: there is no such file") from None
    except Exception as error:  # zipfile, zlib and numpy each refuse a damaged file in their own way
        raise GanflowError(f"{where}: no readable array: {' '.join(str(error).split())}") from None
    images = _first(wanted, IMAGES)
    if images is None:
        has = ", ".join(names) or "nothing"
        statistics = " (statistics of images are not images)" if {"mu", "sigma"} <= {*names} else ""
        raise GanflowError(f"{where} has {has}{statistics}; images are expected as `images` or `arr_0`")
    pixels, understood = _pixels(where, images)
    labels = _first(wanted, LABELS)
    if labels is None:
        return Array(pixels, None, [], understood)
    ids, classes, notes = _classes(where, labels, len(pixels))
    return Array(pixels, ids, classes, [*understood, *notes])


def _first(arrays: Mapping[str, Any], names: Sequence[str]) -> Any | None:
    return next((arrays[name] for name in names if name in arrays), None)


def _pixels(where: str, images: Any) -> tuple[Any, list[str]]:
    """(N, C, H, W), and what there is to say."""
    if images.dtype != np.uint8:
        values = _range(images) if images.size and np.issubdtype(images.dtype, np.number) else ""
        raise GanflowError(f"{where}: images are {images.dtype}{values}; they must be uint8, 0 to 255")
    if images.ndim == 3 and len(images):
        return images[:, None], []
    if images.ndim == 4 and len(images):
        first, last = (images.shape[axis] in CHANNELS for axis in (1, 3))
        if last and (not first or images.shape[1] == images.shape[2]):
            return images.transpose(0, 3, 1, 2), []
        if first and (not last or images.shape[2] == images.shape[3]):
            return images, [f"{where}: images are {images.shape}, read as (N, C, H, W)"]
    allowed = "(N, H, W, C) or (N, C, H, W), C 1 or 3"
    raise GanflowError(f"{where}: images are {images.shape}; they must be {allowed}, and only one of both can be meant")


def _range(images: Any) -> str:
    if not np.isfinite(images).all():
        return " with NaN or infinity"
    return f" from {images.min():g} to {images.max():g}"


def _classes(where: str, labels: Any, count: int) -> tuple[Labels, list[str], list[str]]:
    """int64 (N,), the classes that they count, and what there is to say."""
    shape, notes = labels.shape, []
    if shape == (count, 1) and labels.dtype != bool:
        labels = labels[:, 0]
    elif labels.ndim == 2 and len(labels) == count and _one_hot(labels):
        notes = [f"{where}: labels are {labels.shape}, read as one column for each class"]
        labels = labels.argmax(1)
    whole = np.issubdtype(labels.dtype, np.integer) and labels.shape == (count,) and (labels >= 0).all()
    if not whole and not (labels.dtype.kind in "US" and labels.shape == (count,)):
        ways = f"{count} whole numbers from 0, {count} names, or {count} rows with one 1"
        raise GanflowError(f"{where}: labels are {labels.dtype}{shape}; they must be {ways}")
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    classes, ids = np.unique(labels, return_inverse=True)
    return ids.reshape(-1).astype(np.int64), [str(label) for label in classes.tolist()], notes


def _one_hot(labels: Any) -> bool:
    numbers = labels.dtype == bool or np.issubdtype(labels.dtype, np.number)
    return bool(numbers and np.isin(labels, (0, 1)).all() and (labels.sum(1) == 1).all())
