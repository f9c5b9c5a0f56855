"""The folders that are splits, and what lies inside of each."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ganflow.data.layout.splits import EVERYTHING, TRAIN, Chosen, choose, choose_alone, role_of
from ganflow.errors import ConfigError, GanflowError

Parts = tuple[str, ...]  # of a file's name
DEEPEST = 2  # folders above those of the splits, beside wrapping ones
THE_SOURCE = "the source"


@dataclass
class Placed:
    """Every file in its split."""

    members: dict[str, list[int]]  # "train", and "test" where there is one
    inner: list[Parts]  # per file, its name without wrapping folders and without the split's
    origins: dict[str, str]  # split → the folders it was read from
    others: tuple[str, ...] = ()  # folders of further splits
    left_out: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)
    wrapper: str = ""  # the one folder in which all images lie, directly


def place(parts: list[Parts], named: Mapping[str, list[str]], test: str, keep: int) -> Placed:
    """Find the splits and take wrapping folders away, around the splits and inside of them.

    Args:
        parts: the names of all files.
        named: split → folders, of ``data.splits``; empty: known by their names.
        test: ``data.test``.
        keep: parts of a name that stay: 1, the file, or 2, the file and a folder, which is its class.

    Raises:
        GanflowError: the folders contradict each other, or only the user can tell.
    """
    inner, wrapper = unwrap(parts, keep)
    if named:
        placed = _as_named(parts, inner, named)
    else:
        placed = _by_name(inner, test) or Placed({TRAIN: list(range(len(parts)))}, inner, {TRAIN: THE_SOURCE})
    placed.wrapper = wrapper
    for split, members in placed.members.items():
        if not members:
            raise GanflowError(f"no image is in {placed.origins[split]}")
    _peel(placed, keep)
    return placed


def unwrap(parts: list[Parts], keep: int, whole: bool = False) -> tuple[list[Parts], str]:
    """Take the folders away that hold everything, until one is called as a split is, or ``whole``.

    Returns:
        What is left, and the last folder taken where nothing but files is left.
    """
    taken = ""
    while min(map(len, parts)) > keep and len({p[0] for p in parts}) == 1:
        role = role_of(parts[0][0])
        if role is not None and role.plain and not whole:
            break
        taken, parts = parts[0][0], [p[1:] for p in parts]
    return parts, taken if taken and max(map(len, parts)) == 1 else ""


def _by_name(parts: list[Parts], test: str) -> Placed | None:
    for level in range(DEEPEST + 1):
        deep = [p for p in parts if len(p) > level + 1]
        chosen = choose(sorted({p[level] for p in deep}), test)
        if chosen is None:
            continue
        if level and len(deep) < len(parts):
            beside = next(p for p in parts if len(p) <= level + 1)
            others = len(parts) - len(deep)
            lie = "1 image lies" if others == 1 else f"{others:,} images lie"
            below = f"{deep[0][0]}/ has splits below it, and {lie} elsewhere"
            why = f"{below}, such as {'/'.join(beside)}; data.splits={{train:.}} takes no folder for a split"
            raise ConfigError("data.splits", "{}", why)
        return _sorted_out(parts, level, chosen)
    chosen = choose_alone(sorted({p[0] for p in parts if len(p) > 1}), test)
    return _sorted_out(parts, 0, chosen) if chosen else None


def _sorted_out(parts: list[Parts], level: int, chosen: Chosen) -> Placed:
    """Every file to the split whose folder it lies in, ``level`` folders down."""
    inner = [p[:level] + p[level + 1 :] if len(p) > level + 1 else p for p in parts]
    above = "*/" * level
    folders = chosen.folders
    placed = Placed({split: [] for split in folders.values()}, inner, {})
    placed.origins = {split: f"{above}{name}/" for name, split in folders.items()}
    placed.others = chosen.left_out
    for i, p in enumerate(parts):
        name = p[level] if len(p) > level + 1 else ""
        if name in folders:
            placed.members[folders[name]].append(i)
        else:
            placed.left_out[f"in {above}{name}/" if name else "beside the splits"] += 1
    for name in chosen.left_out:
        now = f"{placed.origins['test']} is the test split" if chosen.test else "data.test is none"
        placed.warnings.append(f"{above}{name}/ is left out, because {now}; data.test={name} takes it")
    return placed


def _as_named(parts: list[Parts], inner: list[Parts], named: Mapping[str, list[str]]) -> Placed:
    """As ``data.splits`` says: folders from the top, or below wrapping folders, or below every class."""
    folders = {_split_path(name): split for split, names in named.items() for name in names}
    for candidate, level in ((parts, 0), (inner, 0), (parts, 1), (inner, 1)):
        subpaths = {p[level : level + n] for p in candidate for n in range(len(p) - level)}
        if folders.keys() <= subpaths:
            return _taken(candidate, level, folders, named)
    tops = sorted({p[0] for p in inner if len(p) > 1})
    subpaths = {p[:n] for p in [*parts, *inner] for n in range(len(p))}
    missing = next((n for names in named.values() for n in names if _split_path(n) not in subpaths), named[TRAIN][0])
    present = f"there are {', '.join(f'{name}/' for name in tops[:5])}" if tops else "there are no folders"
    raise ConfigError("data.splits", dict(named), f"names a folder {missing}/ that holds no images; {present}")


def _taken(parts: list[Parts], level: int, folders: Mapping[Parts, str], named: Mapping[str, list[str]]) -> Placed:
    placed = Placed({split: [] for split in named}, list(parts), {})
    placed.origins = {
        split: THE_SOURCE if names == [EVERYTHING] else ", ".join(f"{name}/" for name in names)
        for split, names in named.items()
    }
    for i, p in enumerate(parts):
        above, below = p[:level], p[level:]
        prefix = next((below[:n] for n in range(len(below) - 1, -1, -1) if below[:n] in folders), None)
        if prefix is None:
            placed.left_out["in no folder of data.splits"] += 1
        else:
            placed.members[folders[prefix]].append(i)
            placed.inner[i] = above + below[len(prefix) :]
    return placed


def _split_path(name: str) -> Parts:
    return () if name == EVERYTHING else tuple(name.split("/"))


def _peel(placed: Placed, keep: int) -> None:
    """Take away ``train/`` inside of ``train/``, and folders that all splits have around everything."""
    for split, members in placed.members.items():
        role = role_of(placed.origins[split].rstrip("/"))
        tops = {placed.inner[i][0] for i in members if len(placed.inner[i]) > 1}
        if role and len(tops) == 1 and role_of(min(tops)) == role and all(len(placed.inner[i]) > 1 for i in members):
            for i in members:
                placed.inner[i] = placed.inner[i][1:]
    every = [i for members in placed.members.values() for i in members]
    left, wrapper = unwrap([placed.inner[i] for i in every], keep, whole=True)
    for i, name in zip(every, left, strict=True):
        placed.inner[i] = name
    placed.wrapper = wrapper or placed.wrapper
