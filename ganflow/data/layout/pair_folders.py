"""Pairs by where their files lie: ``A/…`` with ``B/…``, each below ``train/`` and ``test/`` or not, or as ``trainA/``.

:mod:`ganflow.data.layout.splits` knows how splits are spelled. Files of one name, but for its ending, are a pair.
"""

import posixpath
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ganflow.data.layout.split_folders import THE_SOURCE, Parts, unwrap
from ganflow.data.layout.splits import TEST, TRAIN, VAL, role_of
from ganflow.errors import GanflowError

SIDES = ("A", "B")
BOTH = ""  # the side of a picture that has both
NAMED = 5  # files in one line
LOOKED_FOR = (
    "files of one name in A/ and B/, train/A/ and train/B/ or trainA/ and trainB/ are pairs; "
    "data.side_by_side=true reads pictures that have both"
)


@dataclass(frozen=True)
class Pair:
    """The positions of two files."""

    key: str  # their name below the folders of split and side, without its ending
    a: int
    b: int  # the same as a, where a picture has both


@dataclass(frozen=True)
class PairedSplit:
    """The pairs of a split, by key."""

    pairs: list[Pair]
    origin: str  # the folders they lie in


@dataclass(frozen=True)
class _Place:
    split: str  # TRAIN, TEST, VAL, or empty: no folder says
    side: str
    folder: str
    key: str


def arrange_pairs(names: Sequence[str], side_by_side: bool, ignored: Counter[str]) -> dict[str, PairedSplit]:
    """Find splits and partners.

    Args:
        names: relative normal names of the images, sorted.
        side_by_side: every picture has both, so its folders say nothing but the split.
        ignored: counts what is left out.

    Returns:
        "train", and "test" where a folder is called so; a validation folder is one where there is no other.

    Raises:
        GanflowError: no pairs, a file without a partner, or two files of one name on one side.
    """
    parts, _ = unwrap([tuple(name.split("/")) for name in names], keep=1)
    places = [_placed(p, side_by_side) for p in parts]
    splits = _splits({place.split for place in places})
    by_split = defaultdict[str, list[int]](list)
    for i, place in enumerate(places):
        if not (side_by_side or place.side):
            ignored["in no folder A or B"] += 1
        elif place.split in splits:
            by_split[splits[place.split]].append(i)
        else:
            ignored[f"in {place.split}" if place.split else "beside the splits"] += 1
    if not by_split[TRAIN]:
        raise GanflowError(f"holds no pairs to train with: {LOOKED_FOR}")
    return {split: _paired(by_split[split], places, names) for split in (TRAIN, TEST) if by_split[split]}


def _placed(parts: Parts, side_by_side: bool) -> _Place:
    """Read the folders around a file until one says nothing new about split or side."""
    split, side, depth = "", BOTH, 0
    while depth < len(parts) - 1:
        its_split, its_side = _read(parts[depth])
        new = bool(its_split or its_side) and not (its_split and split) and not (its_side and (side or side_by_side))
        if not new:
            break
        split, side, depth = its_split or split, its_side or side, depth + 1
    return _Place(split, side, "/".join(parts[:depth]), posixpath.splitext("/".join(parts[depth:]))[0])


def _read(folder: str) -> tuple[str, str]:
    """The split and the side that a folder is called by; empty where it is not."""
    if folder in SIDES:
        return "", folder
    role = role_of(folder)
    side = "".join(role.beside).upper() if role else ""
    return (role.split, side) if role and side in (BOTH, *SIDES) else ("", "")


def _splits(named: set[str]) -> dict[str, str]:
    """The split of a data set by that which folders say."""
    if TRAIN not in named and not named & {TEST, VAL}:
        return {"": TRAIN}
    return {TRAIN: TRAIN, TEST if TEST in named else VAL: TEST}


def _paired(members: Sequence[int], places: Sequence[_Place], names: Sequence[str]) -> PairedSplit:
    sides: dict[str, dict[str, int]] = {}
    folders: dict[str, str] = {}
    for i in members:
        place = places[i]
        other = sides.setdefault(place.side, {}).setdefault(place.key, i)
        if other != i:
            raise GanflowError(f"{names[other]} and {names[i]} have one name, so their partner is not known")
        folders.setdefault(place.side, place.folder)
    origin = " and ".join(f"{folders[side]}/" if folders[side] else THE_SOURCE for side in sorted(folders))
    if BOTH in sides:
        return PairedSplit([Pair(key, i, i) for key, i in sorted(sides[BOTH].items())], origin)
    a, b = sides.get("A", {}), sides.get("B", {})
    alone = sorted(names[i] for i in [*(a[k] for k in a.keys() - b.keys()), *(b[k] for k in b.keys() - a.keys())])
    if alone:
        count = "1 file has" if len(alone) == 1 else f"{len(alone):,} files have"
        raise GanflowError(f"{count} no partner of that name: {some(alone)}")
    return PairedSplit([Pair(key, a[key], b[key]) for key in sorted(a)], origin)


def some(names: Sequence[str]) -> str:
    """The first of some names, and the number of the others."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
