"""Labelled images as data for anomaly detection: some classes are normal, and training sees these alone.

The protocol of one class against all others (Ruff et al., 2018, section 4.1: every class in turn is the normal one).
"""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from ganflow.data.archives.archive import File
from ganflow.data.prepared.dataset import Labels
from ganflow.data.source import Content, Split, hold_out
from ganflow.errors import ConfigError, require

HELD_OUT = "held_out"  # normal images that neither training nor the test split has: thresholds come from them
NAMED = 10  # classes in one line


@dataclass
class NormalClasses:
    """Options of labelled sources that make their images data for anomaly detection."""

    normal: list[Any] = field(default_factory=list)  # classes that are normal: train has these alone; []: off
    hold_out: float = 0.1  # of every normal class of train, with data.normal: the split held_out

    def check_normal(self) -> None:
        """Refuse what cannot name a class, and a share outside of [0, 1)."""
        names = all(isinstance(name, int | str) and not isinstance(name, bool) for name in self.normal)
        require(names, "normal", self.normal, "classes by name, such as [3] or [cat,dog]; [] for none")
        check_hold_out(self.hold_out)

    def detection(self, content: Content) -> Content:
        """The content with normal images alone in train and held_out; as it is where no class is called normal.

        Raises:
            ConfigError: a class that does not exist, no other class, or a test split that lacks one of both.
        """
        if not self.normal:
            options = {option.name for option in fields(NormalClasses)}
            return replace(content, recipe={key: value for key, value in content.recipe.items() if key not in options})
        normal = self._labels_of(content)
        train = content.splits["train"]
        is_normal = np.isin(train.labels, normal)
        self._check_test(content, normal)
        again = content.with_ranges
        return replace(
            content,
            facts=replace(content.facts, normal=normal),
            splits=without_held_out({**content.splits, "train": train.part(is_normal)}, self.hold_out),
            ignored=_with_count(content.ignored, int((~is_normal).sum())),
            understood=replace(content.understood, splits=self._origins(content, normal)),
            with_ranges=None if again is None else lambda ranges: self.detection(again(ranges)),
        )

    def _labels_of(self, content: Content) -> tuple[int, ...]:
        """The normal labels, in order."""
        classes = content.classes
        why = f" ({content.understood.labels})" if content.understood.labels else ""
        require(bool(classes), "data.normal", self._shown, f"the images have no classes{why}")
        unknown = next((name for name in map(str, self.normal) if name not in classes), None)
        require(unknown is None, "data.normal", self._shown, f"there is not a class {unknown}, only {_some(classes)}")
        normal = tuple(sorted({classes.index(str(name)) for name in self.normal}))
        rest = len(classes) - len(normal)
        require(rest > 0, "data.normal", self._shown, "all classes are normal; leave out those that are anomalies")
        return normal

    def _check_test(self, content: Content, normal: tuple[int, ...]) -> None:
        test = content.splits.get("test")
        if test is None:
            way_out = "there is no test split to find anomalies in; a test folder or data.test_share gives one"
            raise ConfigError("data.normal", self._shown, way_out)
        check_both(test.labels, normal, "data.normal", self._shown)

    def _origins(self, content: Content, normal: tuple[int, ...]) -> dict[str, str]:
        names = _some([content.classes[label] for label in normal])
        origins = dict(content.understood.splits)
        before = f"{origins['train']}, " if origins.get("train") else ""
        origins["train"] = f"{before}normal alone: {names}"
        return {**origins, HELD_OUT: f"{self.hold_out:.3g} of these"} if self.hold_out else origins

    @property
    def _shown(self) -> str:
        return f"[{','.join(map(str, self.normal))}]"


def check_hold_out(share: float) -> None:
    """Refuse a ``hold_out`` outside of [0, 1)."""
    require(
        0 <= share < 1, "hold_out", share, "a share of the normal images, from 0 (no split held_out) to less than 1"
    )


def check_both(labels: Labels, normal: Sequence[int], key: str, value: object) -> None:
    """Refuse a test split, labels (N,), that has no normal images, or nothing else."""
    is_normal = np.isin(labels, normal)
    for kind, holds in (("normal images", is_normal.any()), ("anomalies", not is_normal.all())):
        require(bool(holds), key, value, f"the test split has no {kind}, and detection is measured on both")


def without_held_out(splits: Mapping[str, Split], share: float) -> dict[str, Split]:
    """The splits, where train gives a share of every class to the split ``held_out``.

    Args:
        splits: "train", whose images are normal, and others.
        share: in [0, 1); 0 makes no such split.

    Raises:
        ConfigError: the share is not one image.
    """
    if not share:
        return dict(splits)
    train = splits["train"]
    held = hold_out(train.labels, [_name(item, i) for i, item in enumerate(train.items)], share)
    few = f"holds out none of {len(held)} normal images; 0 makes no split held_out"
    require(bool(held.any()), "data.hold_out", share, few)
    return {**splits, "train": train.part(~held), HELD_OUT: train.part(held)}


def _name(item: object, position: int) -> str:
    """The name by which it is chosen whether an item is held out: folders around it change nothing."""
    return posixpath.basename(item.name) if isinstance(item, File) else f"{position:09d}"


def _with_count(ignored: Mapping[str, int], anomalies: int) -> dict[str, int]:
    return {**ignored, "anomalous images of train": anomalies} if anomalies else dict(ignored)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
