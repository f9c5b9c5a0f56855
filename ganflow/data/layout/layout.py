"""The split and the class of a file, by where it lies and by what other files state.

``train/<class>/…`` and ``test/<class>/…``, or ``<class>/train/…``, or ``<class>/…``, or just files; each also inside of
wrapping folders. :mod:`ganflow.data.layout.splits` knows how splits are spelled.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ganflow.data.archives.filenames import is_hidden, is_image
from ganflow.data.layout.labels import Label, Stated, classes_of
from ganflow.data.layout.split_folders import Placed, place
from ganflow.data.prepared.dataset import Labels
from ganflow.data.source import Understood, hold_out
from ganflow.errors import ConfigError, GanflowError

AUTO, FOLDERS, NONE = "auto", "folders", "none"
LABELS = (AUTO, FOLDERS, NONE)
Keys = list[Label] | None  # the class of every member of a split; None: unlabelled


@dataclass(frozen=True)
class Layout:
    """Class names, and per split the positions of its files with their labels."""

    classes: list[str]  # sorted; empty when unlabelled
    splits: dict[str, tuple[NDArray[np.int64], Labels]]
    understood: Understood = field(default_factory=Understood)


@dataclass(frozen=True)
class Reading:
    """The options that say how folders are read."""

    test_share: float = 0.1  # of every class, where there is no test folder, in [0, 1)
    labels: str = AUTO
    splits: Mapping[str, list[str]] = field(default_factory=dict)  # split → its folders; empty: known by their names
    test: str = ""  # the folder of the test split; "none": none


def usable(names: Sequence[str]) -> tuple[list[int], Counter[str]]:
    """Positions of the names that are images of a data set; what is left out is counted by kind."""
    used, ignored = [], Counter[str]()
    for i, name in enumerate(names):
        if name.split("/", 1)[0] in ("", ".."):
            ignored["outside of the archive"] += 1
        elif is_hidden(name):
            ignored["hidden"] += 1
        elif not is_image(name):
            ignored[os.path.splitext(name)[1].lower() or "no suffix"] += 1
        else:
            used.append(i)
    return used, ignored


def arrange(names: Sequence[str], reading: Reading, ignored: Counter[str], stated: Stated | None = None) -> Layout:
    """Give every file its split and its label.

    Args:
        names: relative normal names of the images, sorted.
        reading: the user's options.
        ignored: counts what is left out, such as files of a third split.
        stated: labels that files of the source state, in the order of the names.

    Raises:
        GanflowError: images beside class folders, splits that contradict each other, or that only the user can tell.
    """
    keep = 2 if reading.labels == FOLDERS else 1
    placed = place([tuple(name.split("/")) for name in names], reading.splits, reading.test, keep)
    ignored.update(placed.left_out)
    keys = {split: _keys(split, placed, reading, stated) for split in placed.members}
    warnings = [*placed.warnings, *_doubts(placed, keys["train"], reading, stated)]
    classes = classes_of(keys["train"] or [])
    if "test" in keys:
        warnings += _check_test(classes, keys["test"], placed)
    index = {key: k for k, key in enumerate(classes)}
    splits = {
        split: (np.array(members, dtype=np.int64), _numbers(members, keys[split] if classes else None, index))
        for split, members in placed.members.items()
    }
    origins = dict(placed.origins)
    if "test" not in splits and reading.test_share:
        splits = _held_out(*splits["train"], placed.inner, reading.test_share)
        if "test" in splits:
            origins["test"] = f"{reading.test_share:.3g} of {'every class' if classes else 'the images'}"
    understood = Understood(origins, _where(reading, stated, bool(classes)), warnings)
    return Layout([str(key) for key in classes], splits, understood)


def _keys(split: str, placed: Placed, reading: Reading, stated: Stated | None) -> Keys:
    members = placed.members[split]
    if reading.labels == NONE:
        return None
    if stated is not None and reading.labels == AUTO:
        return None if stated.labels is None else [stated.labels[i] for i in members]
    return _folders(members, placed.inner, placed.origins[split])


def _folders(members: list[int], inner: Sequence[tuple[str, ...]], where: str) -> Keys:
    """The first folder of every member names its class."""
    loose = [i for i in members if len(inner[i]) == 1]
    if not loose:
        return [inner[i][0] for i in members]
    if len(loose) < len(members):
        count = f"{len(loose):,} image{'s' if len(loose) > 1 else ''} of {where}"
        beside = f"{count} beside class folders, such as {inner[loose[0]][0]}"
        raise GanflowError(f"labels do not match: {beside}; data.labels=none reads all without labels")
    return None


def _numbers(members: list[int], keys: Keys, index: Mapping[Label, int]) -> Labels:
    return np.array([index[key] for key in keys] if keys else [0] * len(members), dtype=np.int64)


def _check_test(classes: list[Label], keys: Keys, placed: Placed) -> list[str]:
    """Refuse a test split with other classes than train; warn where it has fewer."""
    train, test = placed.origins["train"], placed.origins["test"]
    other = placed.others[0] if placed.others else NONE
    hint = f"data.test={other} takes {f'{other}/ instead' if placed.others else 'a share of train instead'}"
    if not classes:
        return [f"{train} has no class folders, so those of {test} are not read"] if keys else []
    if not keys:
        raise GanflowError(f"labels do not match: {test} has no class folders, {train} has; {hint}")
    unknown = [str(key) for key in classes_of(keys) if key not in set(classes)]
    if unknown:
        raise GanflowError(f"labels do not match: {test} has classes that {train} has not: {_some(unknown)}; {hint}")
    return []


def _held_out(
    every: NDArray[np.int64], labels: Labels, inner: Sequence[tuple[str, ...]], share: float
) -> dict[str, tuple[NDArray[np.int64], Labels]]:
    held = hold_out(labels, ["/".join(inner[i]) for i in every], share)  # a wrapping folder changes nothing
    splits = {"train": (every[~held], labels[~held])}
    return {**splits, "test": (every[held], labels[held])} if held.any() else splits


def _where(reading: Reading, stated: Stated | None, labelled: bool) -> str:
    """The origin of the labels, or the reason for their absence."""
    if reading.labels == NONE:
        return "data.labels=none"
    if stated is not None and reading.labels == AUTO:
        return stated.where if labelled else f"{stated.where} says so"
    return "folders" if labelled else "no class folders"


def _doubts(placed: Placed, keys: Keys, reading: Reading, stated: Stated | None) -> list[str]:
    """Warnings about what the user may have meant otherwise."""
    if reading.labels == NONE:
        return []
    if stated is not None and reading.labels == AUTO:
        numbers = [key for key in keys or () if isinstance(key, int) and key < 0]
        return [f"label {min(numbers)} is read as a class of its own"] if numbers else []
    if keys is None:
        wrapped = f"every image lies in one folder, {placed.wrapper}/, which is not read as a class"
        return [f"{wrapped}; data.labels=folders reads it as one"] if placed.wrapper else []
    classes = [str(key) for key in classes_of(keys)]
    if len(classes) > 1 and all(len(name) >= 5 and name.isdecimal() for name in classes):
        return [f"the classes are numbered folders ({_some(classes)}); data.labels=none if they only portion the files"]
    return []


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def check_share(share: float) -> None:
    """Refuse a ``test_share`` outside of [0, 1)."""
    if not 0 <= share < 1:
        raise ConfigError("test_share", share, "a share of the images, from 0 (no test split) to less than 1")
