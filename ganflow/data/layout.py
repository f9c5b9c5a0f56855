"""Which split and which class a file belongs to, by where it lies.

``train/<class>/…`` and ``test/<class>/…``, or ``<class>/…``, or just files; each also inside of one wrapping folder.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganflow.data.dataset import Labels
from ganflow.data.source import hold_out
from ganflow.errors import ConfigError, GanflowError

SUFFIXES = frozenset(
    [
        ".png",
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".bmp",
        ".gif",
        ".tif",
        ".tiff",
        ".webp",
        ".avif",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
        ".jp2",
        ".tga",
    ]
)
TESTS = ("test", "val", "valid", "validation")  # the first that is there is the test split


@dataclass(frozen=True)
class Layout:
    """Class names, and per split the positions of its files with their labels."""

    classes: list[str]  # sorted; empty when unlabelled
    splits: dict[str, tuple[NDArray[np.int64], Labels]]


def usable(names: Sequence[str]) -> tuple[list[int], Counter[str]]:
    """Positions of the names that are images of a data set; what is left out is counted by kind."""
    kept, ignored = [], Counter[str]()
    for i, name in enumerate(names):
        parts = name.split("/")
        suffix = os.path.splitext(name)[1].lower()
        if parts[0] in ("", ".."):
            ignored["outside of the archive"] += 1
        elif "__MACOSX" in parts or any(part.startswith(".") for part in parts):
            ignored["hidden"] += 1
        elif suffix not in SUFFIXES:
            ignored[suffix or "no suffix"] += 1
        else:
            kept.append(i)
    return kept, ignored


def arrange(names: Sequence[str], test_share: float, ignored: Counter[str]) -> Layout:
    """Give every file its split and its label.

    Args:
        names: relative normal names of the images, sorted.
        test_share: how much of every class is held out when there is no test folder, in [0, 1).
        ignored: counts what is left out, such as files of a third split.

    Raises:
        GanflowError: images beside class folders, or splits that contradict each other.
    """
    parts = _unwrap([tuple(name.split("/")) for name in names])
    tops = {p[0] for p in parts if len(p) > 1}
    test = next((name for name in TESTS if name in tops), "")
    if test and "train" not in tops:
        raise GanflowError(f"there is a folder {test}/ and no train/ beside it")
    if "train" not in tops or not (test or tops == {"train"}):
        return _held_out(list(range(len(names))), parts, test_share)
    folders = {"train": "train", test: "test"}
    members: dict[str, list[int]] = {"train": [], "test": []}
    for i, p in enumerate(parts):
        if len(p) > 1 and p[0] in folders:
            members[folders[p[0]]].append(i)
        else:
            ignored["outside of train and test"] += 1
    inner = [p[1:] for p in parts]
    if not test:
        return _held_out(members["train"], inner, test_share)
    classes, labels = _label(members["train"], inner, "train")
    test_classes, _ = _label(members["test"], inner, test)
    unknown = sorted(set(test_classes) - set(classes))
    if unknown or (classes and not test_classes):
        what = f"classes that train/ has not: {', '.join(unknown[:5])}" if unknown else "no class folders, train/ has"
        raise GanflowError(f"labels do not match: {test}/ has {what}")
    index = {name: k for k, name in enumerate(classes)}
    test_labels = [index[inner[i][0]] if classes else 0 for i in members["test"]]
    return Layout(classes, {"train": _split(members["train"], labels), "test": _split(members["test"], test_labels)})


def _held_out(members: list[int], parts: list[tuple[str, ...]], share: float) -> Layout:
    classes, labels = _label(members, parts, "the source")
    every, every_label = _split(members, labels)
    held = hold_out(every_label, ["/".join(parts[i]) for i in members], share)
    splits = {"train": (every[~held], every_label[~held])}
    if held.any():
        splits["test"] = (every[held], every_label[held])
    return Layout(classes, splits)


def _split(members: list[int], labels: list[int]) -> tuple[NDArray[np.int64], Labels]:
    return np.array(members, dtype=np.int64), np.array(labels, dtype=np.int64)


def _label(members: list[int], parts: list[tuple[str, ...]], where: str) -> tuple[list[str], list[int]]:
    """Sorted class names and a label per member: the first folder names the class."""
    loose = [i for i in members if len(parts[i]) == 1]
    if not loose:
        classes = sorted({parts[i][0] for i in members})
        index = {name: k for k, name in enumerate(classes)}
        return classes, [index[parts[i][0]] for i in members]
    if len(loose) < len(members):
        beside = f"{len(loose)} images of {where} lie beside class folders, as {parts[loose[0]][0]}"
        raise GanflowError(f"labels do not match: {beside}")
    return [], [0] * len(members)


def _unwrap(parts: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Take a single wrapping folder away, as most archives have one around their class folders."""
    while len({p[0] for p in parts}) == 1 and parts[0][0] != "train" and min(map(len, parts)) > 2:
        parts = [p[1:] for p in parts]
    return parts


def check_share(share: float) -> None:
    """Refuse a ``test_share`` outside of [0, 1)."""
    if not 0 <= share < 1:
        raise ConfigError("test_share", share, "a share of the images, from 0 (no test split) to less than 1")
