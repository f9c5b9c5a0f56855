"""Images from anywhere as a data set: a prepared one, a folder or archive of pictures, or an array in a file."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ganflow import storage
from ganflow.config import components
from ganflow.data import summary
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset, Facts, Labels, is_prepared, read_manifest
from ganflow.data.prepared.shards import SplitWriter, workplace, write_manifest
from ganflow.errors import ConfigError, GanflowError
from ganflow.evaluation.arrays import SUFFIXES, read_array
from ganflow.evaluation.evidence.samples import ImageSamples

logger = logging.getLogger(__name__)

AS_THEY_ARE: Mapping[str, object] = {}


def is_pictures(where: str) -> bool:
    """True if images are a folder or an archive of files, which the options of ``image_folder`` are about."""
    return not (where.endswith(SUFFIXES) or is_prepared(Path(where)))


def open_images(where: str, scratch: Path, options: Mapping[str, object] = AS_THEY_ARE) -> Path:
    """The folder of a prepared data set of these images.

    Args:
        where: a prepared data set; a folder, zip or tar of pictures; a ``.npz`` or ``.npy``. Local or ``s3://``.
        scratch: a folder of this call's own, for what is not prepared yet.
        options: of ``image_folder``, for a folder, zip or tar; nothing is held out unless they say so.

    Raises:
        GanflowError: nothing there, pictures that cannot be read or are not of one size, arrays that are not images.
    """
    if is_prepared(Path(where)):
        return Path(where)
    prepared = scratch / "data"
    if where.endswith(SUFFIXES):
        _write_array(where, storage.localize(where, scratch), prepared)
        return prepared
    chosen = {"test_share": 0.0, **options, "name": "image_folder", "path": where}
    source = components.build("source", chosen, "images")
    try:
        report = prepare(source, prepared, locate=storage.localize)
    except ConfigError as error:
        raise GanflowError(f"{where}: {error.allowed}") from None
    for line in (summary.lines(report)[0], *report["warnings"]):
        logger.info(f"{where}: {line}")
    return prepared


def as_samples(images: Dataset, reference: Dataset, where: str) -> ImageSamples:
    """Images to be held against a reference, with its classes where theirs are the same ones.

    Classes are matched by name, or, where theirs are numbers, by the place in the reference's list.

    Raises:
        GanflowError: another size or number of channels.
    """
    given, wanted = images.facts, reference.facts
    if given.shape != wanted.shape:
        line = f"{where} holds {given}, the reference {wanted}"
        raise GanflowError(f"{line}; {_way_out(where, given, wanted)}")
    others = [f"{split} ({n:,} images)" for split, n in _other_splits(images)]
    if others:
        logger.info(f"{where}: the samples are its split {images.split}, without {' and '.join(others)}")
    return ImageSamples(images, _labels(images, reference, where))


def _way_out(where: str, given: Facts, wanted: Facts) -> str:
    if not is_pictures(where):
        return "make them equal first"
    _, height, width = wanted.shape
    resize = f"data.resize={width if wanted.square else f'{width}x{height}'}"
    ways = [resize] if given.shape[1:] != wanted.shape[1:] else []
    ways += [f"data.channels={wanted.channels}"] if given.channels != wanted.channels else []
    return f"{' '.join(ways)} makes them equal"


def _other_splits(images: Dataset) -> list[tuple[str, int]]:
    splits = read_manifest(images.root)["splits"]
    return [(name, split["count"]) for name, split in splits.items() if name != images.split]


def _labels(images: Dataset, reference: Dataset, where: str) -> Labels | None:
    """int64 (N,) of the reference's classes; None where theirs are none, or others."""
    theirs, ours = images.classes, list(reference.classes)
    if not theirs or not ours:
        return None
    if set(theirs) <= set(ours):
        places = [ours.index(name) for name in theirs]
    elif all(name.isdecimal() and int(name) < len(ours) for name in theirs):
        places = [int(name) for name in theirs]
        first, last = min(places), max(places)
        logger.info(
            f"{where}: class {first} is read as {ours[first]}, {last} as {ours[last]}: places among the reference's"
        )
    else:
        others = ", ".join([name for name in theirs if name not in ours][:5])
        logger.info(
            f"{where}: its classes are left out, because the reference has no {others}; it has {', '.join(ours[:5])}"
        )
        return None
    labels: Labels = np.array(places, dtype=np.int64)[np.asarray(images.labels)]
    return labels


def _write_array(where: str, path: Path, prepared: Path) -> None:
    array = read_array(where, path)
    for line in array.understood:
        logger.info(line)
    facts = Facts(array.images.shape[1:], len(array.classes))
    with workplace(prepared) as work:
        writer = SplitWriter(work.data, "train", facts, 2**28)
        writer.add(array.images, np.zeros(len(array.images), np.int64) if array.labels is None else array.labels)
        write_manifest(work.data, facts, list(array.classes), {"train": writer.close()}, {"name": "array"})
