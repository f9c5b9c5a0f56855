"""The folders of data for visual inspection, as MVTec AD has them (Bergmann et al., 2019).

``train/good/…``, ``test/good/…``, ``test/<defect>/…`` and ``ground_truth/<defect>/<name>_mask.png``, also inside of
wrapping folders.
"""

import posixpath
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ganflow.data.layout.pair_folders import some
from ganflow.data.layout.split_folders import unwrap
from ganflow.errors import GanflowError

GOOD, TRAIN, TEST, MASKS = "good", "train", "test", "ground_truth"
MASK_ENDING = "_mask"
DEEP_ENOUGH = 3  # parts of a name: train/good/000.png


@dataclass(frozen=True)
class InspectionFolders:
    """Positions of the images.

    Attributes:
        classes: "good" and the defects, sorted.
        train: good images.
        test: position and class of each.
        masks: position of the mask by that of the image; None where there is no folder of masks.
    """

    classes: list[str]
    train: list[int]
    test: list[tuple[int, int]]
    masks: dict[int, int] | None


def arrange_inspection(names: Sequence[str], ignored: Counter[str]) -> InspectionFolders:
    """Give every image its place.

    Args:
        names: relative normal names of the images, sorted.
        ignored: counts what is left out.

    Raises:
        GanflowError: no good images to train with, others among them, a test split that lacks good images or
            defects, a defect without its mask, or a mask without its image.
    """
    parts, _ = unwrap([tuple(name.split("/")) for name in names], keep=1)
    by_top: dict[str, dict[tuple[str, str], int]] = {TRAIN: {}, TEST: {}, MASKS: {}}  # kind and name → position
    for i, p in enumerate(parts):
        if len(p) < DEEP_ENOUGH or p[0] not in by_top:
            ignored[f"beside {TRAIN}, {TEST} and {MASKS}" if p[0] not in by_top else f"beside the kinds of {p[0]}"] += 1
            continue
        stem = posixpath.splitext("/".join(p[2:]))[0]
        other = by_top[p[0]].setdefault((p[1], stem.removesuffix(MASK_ENDING) if p[0] == MASKS else stem), i)
        if other != i:
            raise GanflowError(f"{names[other]} and {names[i]} have one name")
    train, test, masks = by_top[TRAIN], by_top[TEST], by_top[MASKS]
    _check_kinds({kind for kind, _ in train}, {kind for kind, _ in test})
    classes = [GOOD, *sorted({kind for kind, _ in test} - {GOOD})]
    return InspectionFolders(
        classes,
        sorted(train.values()),
        sorted((i, classes.index(kind)) for (kind, _), i in test.items()),
        _masks(names, test, masks) if masks else None,
    )


def _check_kinds(train: set[str], test: set[str]) -> None:
    if train != {GOOD}:
        others = sorted(train - {GOOD})
        holds = f"holds {some([f'{TRAIN}/{kind}/' for kind in others])}, and" if others else f"has no {TRAIN}/{GOOD}/:"
        raise GanflowError(f"{holds} training is on good images alone")
    if GOOD not in test:
        raise GanflowError(f"has no {TEST}/{GOOD}/, and detection is measured on good images too")
    if test == {GOOD}:
        raise GanflowError(f"has no defects beside {TEST}/{GOOD}/, and detection is measured on anomalies too")


def _masks(names: Sequence[str], test: dict[tuple[str, str], int], masks: dict[tuple[str, str], int]) -> dict[int, int]:
    """The mask of every defect, by position."""
    orphans = [names[masks[key]] for key in masks.keys() - test.keys()]
    if orphans:
        count = "1 mask has" if len(orphans) == 1 else f"{len(orphans):,} masks have"
        raise GanflowError(f"{count} no image in {TEST}/: {some(sorted(orphans))}")
    bare = [names[i] for (kind, stem), i in test.items() if kind != GOOD and (kind, stem) not in masks]
    if bare:
        count = "1 image has" if len(bare) == 1 else f"{len(bare):,} images have"
        raise GanflowError(f"{count} no mask in {MASKS}/<defect>/<name>{MASK_ENDING}.png: {some(sorted(bare))}")
    return {i: masks[key] for key, i in test.items() if key[0] != GOOD}
