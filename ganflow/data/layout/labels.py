"""Labels that files of a source state: StyleGAN's ``dataset.json``, webdataset's ``.cls`` and ``.json``.

``dataset.json`` (Karras et al., 2020; EDM and R3GAN read the same) lists ``["00000/img00000000.png", 3]`` per image, or
null where there are none. webdataset puts ``000000.cls`` beside ``000000.png``.
"""

import json
import math
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganflow.data.archives.archive import Archive, File, read_file
from ganflow.data.archives.filenames import is_hidden
from ganflow.errors import GanflowError

Label = int | str
MANIFEST = "dataset.json"
JSON_KEYS = ("label", "cls", "class")
LONGEST = 200  # characters of a class name
WAY_OUT = "data.labels=folders or data.labels=none does without"


@dataclass(frozen=True)
class Stated:
    """The labels that files of a source state."""

    where: str  # "dataset.json", ".cls files" or ".json files"
    labels: list[Label] | None  # one per image; None: the file says that there are none
    used: frozenset[str]  # names of the files that state them
    missing: tuple[str, ...] = ()  # images with a label that are not there


def stated(archive: Archive, files: Sequence[File], images: Sequence[File]) -> Stated | None:
    """Find labels that files state.

    Args:
        archive: what the files lie in.
        files: all of its files.
        images: those of them that are images.

    Returns:
        None where no file states any.

    Raises:
        GanflowError: a file that states labels is damaged, contradicts itself or leaves images out.
    """
    visible = [file for file in files if not is_hidden(file.name)]
    manifests = {file.name: _read_json(archive, file) for file in visible if posixpath.basename(file.name) == MANIFEST}
    lists = {
        name: content["labels"]
        for name, content in manifests.items()
        if isinstance(content, dict) and "labels" in content
    }
    if lists:  # another dataset.json is a file for something else
        return _from_lists(lists, images)
    for suffix in (".cls", ".json"):
        beside = {file.name[: -len(suffix)]: file for file in visible if file.name.endswith(suffix)}
        sidecars = [_sidecar(beside, image.name) for image in images] if beside else []
        first = next((file for file in sidecars if file is not None), None)
        if first is not None and (suffix == ".cls" or _json_label(archive, first) is not None):
            return _from_sidecars(archive, suffix, images, sidecars)
    return None


def _read_json(archive: Archive, file: File) -> object:
    try:
        return json.loads(read_file(archive, file))
    except (OSError, ValueError, RecursionError) as error:
        raise GanflowError(f"{file.name} is not readable: {' '.join(str(error).split())}; {WAY_OUT}") from None


def _from_lists(lists: Mapping[str, object], images: Sequence[File]) -> Stated:
    where, used = ", ".join(sorted(lists)), frozenset(lists)
    if all(content is None for content in lists.values()):
        return Stated(where, None, used)
    of: dict[str, Label] = {}
    for name, content in lists.items():
        of |= _read_pairs(name, content)
    unlisted = [image.name for image in images if image.name not in of]
    if unlisted:
        what = f"{where} has no label for {len(unlisted):,} of {len(images):,} images, such as {unlisted[0]}"
        raise GanflowError(f"labels do not match: {what}; {WAY_OUT}")
    missing = sorted(of.keys() - {image.name for image in images})
    return Stated(where, [of[image.name] for image in images], used, tuple(missing))


def _read_pairs(name: str, content: Any) -> dict[str, Label]:
    """Image → label; images are named from the folder of the list ``name``."""
    pairs = list(content.items()) if isinstance(content, dict) else content or []
    paired = isinstance(pairs, list) and all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs)
    if not paired or not all(isinstance(image, str) for image, _ in pairs):
        raise GanflowError(f"{name}: labels must be a list of [image, label], or null; {WAY_OUT}")
    folder = posixpath.dirname(name)
    return {
        posixpath.normpath(posixpath.join(folder, image.replace("\\", "/"))): _class_id(label, f"{name}: {image}")
        for image, label in pairs
    }


def _class_id(label: object, what: str) -> int:
    """A whole number, or the place of the one in a one-hot vector."""
    if isinstance(label, list) and all(type(x) in (int, float) for x in label) and sorted(label)[-1:] == [1]:
        if sum(map(abs, label)) == 1:
            return label.index(1)
    elif type(label) is int or (type(label) is float and math.isfinite(label) and label == int(label)):
        return int(label)
    shown = json.dumps(label)
    shown = shown if len(shown) <= 40 else f"{shown[:40]}…"
    raise GanflowError(f"{what} has the label {shown}, not a whole number or a one-hot vector; {WAY_OUT}")


def _sidecar(beside: Mapping[str, File], image: str) -> File | None:
    """The file of the same key: the name up to its suffix or, as webdataset has it, up to its first dot."""
    folder, base = posixpath.split(image)
    return beside.get(posixpath.splitext(image)[0]) or beside.get(posixpath.join(folder, base.partition(".")[0]))


def _from_sidecars(archive: Archive, suffix: str, images: Sequence[File], sidecars: Sequence[File | None]) -> Stated:
    read = {".cls": _cls_label, ".json": _json_label}[suffix]
    labels: list[Label] = []
    for image, file in zip(images, sidecars, strict=True):
        label = read(archive, file) if file else None
        if label is None:
            raise GanflowError(f"labels do not match: {image.name} has no {suffix} file with its label; {WAY_OUT}")
        labels.append(label)
    if not all(isinstance(label, int) for label in labels):
        labels = [str(label) for label in labels]
    return Stated(f"{suffix} files", labels, frozenset(file.name for file in sidecars if file))


def _cls_label(archive: Archive, file: File) -> Label | None:
    try:
        text = read_file(archive, file).decode().strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text or not text.isprintable() or len(text) > LONGEST:
        raise GanflowError(f"{file.name} does not hold a class, such as 3 or cat; {WAY_OUT}")
    return int(text) if text.removeprefix("-").isdecimal() else text


def _json_label(archive: Archive, file: File) -> Label | None:
    content = _read_json(archive, file)
    label = next((content[key] for key in JSON_KEYS if key in content), None) if isinstance(content, dict) else None
    return label if isinstance(label, str) or label is None else _class_id(label, file.name)


def classes_of(labels: Sequence[Label]) -> list[Label]:
    """The classes of some labels, in order: numbers by size, names by the alphabet."""
    return sorted(set(labels), key=lambda label: (isinstance(label, str), label))
