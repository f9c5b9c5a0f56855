"""Folders that are splits, known by their usual names, or named by the user.

A name is cut into words: ``train_images``, ``Training-Set`` and ``val2017`` say train, train and val. Where names allow
two readings, the user is asked; nothing is guessed.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganflow.errors import ConfigError

TRAIN, TEST, VAL = "train", "test", "val"
_SPELLINGS = {
    TRAIN: ("train", "training", "trn", "trainval"),
    TEST: ("test", "testing", "tst"),
    VAL: ("val", "valid", "validation", "validate", "dev", "devel", "eval", "evaluation", "holdout", "heldout"),
}
_SAY_NOTHING = ("set", "sets", "split", "data", "dataset", "images", "image", "imgs", "img", "pictures", "photos")
_ROLES = {word + more: role for role, words in _SPELLINGS.items() for word in words for more in ("", *_SAY_NOTHING)}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_]+")
NONE, EVERYTHING = "none", "."  # data.test=none: hold out a share; data.splits={train: .}: no folder is a split
MOST_NAMED = 5


@dataclass(frozen=True)
class Role:
    """A folder's name, read: a split, and the words beside it, which other splits of the data set share."""

    split: str  # TRAIN, TEST or VAL
    beside: tuple[str, ...] = ()

    @property
    def plain(self) -> bool:
        """The name says nothing but the split."""
        return not self.beside


def role_of(name: str) -> Role | None:
    """Read a folder's name; None where it names no split, or two that do not go together."""
    words = [word.lower() for word in _WORD.findall(name)]
    roles = [_ROLES[word] for word in words if word in _ROLES]
    if len(roles) != 1 and roles != [TRAIN, VAL]:
        return None
    return Role(roles[0], tuple(word for word in words if word not in _ROLES and word not in _SAY_NOTHING))


@dataclass(frozen=True)
class Chosen:
    """The folders of the splits, as they are called."""

    train: str
    test: str = ""  # empty: there is none
    left_out: tuple[str, ...] = ()  # further splits

    @property
    def folders(self) -> dict[str, str]:
        """Folder → split."""
        return {self.train: TRAIN, **({self.test: TEST} if self.test else {})}


def choose(names: Sequence[str], test: str) -> Chosen | None:
    """Find the splits among folders that lie beside each other.

    Args:
        names: the folders, sorted.
        test: ``data.test``: the one that is the test split, ``none``, or empty.

    Returns:
        None where the names are not those of a train split and of another one.

    Raises:
        ConfigError: the names allow several readings.
    """
    roles = {name: role for name in names if (role := role_of(name))}
    groups: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, role in roles.items():
        groups[role.beside].append(name)
    pairs = [group for group in groups.values() if len({roles[name].split == TRAIN for name in group}) == 2]
    if not pairs:
        return None
    if len(pairs) > 1 or len(pairs[0]) < len(names):
        raise _ask(f"{_named(names)} may be splits or classes", pairs[0], roles)
    trains = [name for name in names if roles[name].split == TRAIN]
    if len(trains) > 1:
        raise _ask(f"{_named(trains)} may each be the train split", names, roles)
    chosen = _test_of([name for name in names if name not in trains], roles, test)
    return Chosen(trains[0], chosen, tuple(name for name in names if name not in (*trains, chosen)))


def choose_alone(names: Sequence[str], test: str) -> Chosen | None:
    """Take a train split that is the only folder; refuse names of which only some are those of splits.

    Args:
        names: the folders on top, sorted, of which :func:`choose` took none.
        test: ``data.test``.

    Raises:
        ConfigError: the names allow several readings, or there is no test split to choose.
    """
    roles = {name: role for name in names if (role := role_of(name))}
    _refuse_halves(names, roles)
    if test not in ("", NONE):
        raise ConfigError("data.test", test, f"there are no splits to choose from, only {_named(names) or 'images'}")
    train = [name for name, role in roles.items() if role.split == TRAIN and role.plain]
    return Chosen(train[0]) if train else None


def _test_of(others: list[str], roles: Mapping[str, Role], wanted: str) -> str:
    if wanted == NONE:
        return ""
    if wanted:
        word = role_of(wanted)
        fits = [name for name in others if name.casefold() == wanted.casefold()] or [
            name for name in others if word and roles[name].split == word.split
        ]
        if len(fits) != 1:
            says = f"names none of {_named(others)}" if not fits else f"may be {_named(fits)}"
            raise ConfigError("data.test", wanted, says)
        return fits[0]
    tests = [name for name in others if roles[name].split == TEST] or others
    if len(tests) > 1:
        raise ConfigError("data.test", "", f"must say which of {_named(tests)} is the test split: data.test={tests[0]}")
    return tests[0]


def _refuse_halves(names: Sequence[str], roles: Mapping[str, Role]) -> None:
    """Refuse names of which only some, or only in part, are those of splits."""
    plain = {name: role.split for name, role in roles.items() if role.plain}
    trains = [name for name, split in plain.items() if split == TRAIN]
    others = [name for name in names if name not in trains]
    if trains and others:
        raise _ask(f"{trains[0]}/ beside {_named(others)} may be a split or a class", trains, roles)
    if plain and not trains:
        alone = next(iter(plain))
        raise _refusal(f"there is a folder {alone}/ and no train/ beside it", f"{{train:{alone}}}")
    if len({role.split == TRAIN for role in roles.values()}) == 2:
        raise _ask(f"{_named(names)} look partly like splits", list(roles), roles)


def _ask(why: str, names: Sequence[str], roles: Mapping[str, Role]) -> ConfigError:
    """The line that asks for ``data.splits``, with an example of it."""
    train = next(name for name in names if roles[name].split == TRAIN)
    test = next((name for name in names if roles[name].split != TRAIN), "")
    return _refusal(why, f"{{train:{train},test:{test}}}" if test else f"{{train:{train}}}")


def _refusal(why: str, example: str) -> ConfigError:
    hint = f"data.splits={example} reads splits, data.splits={{train:.}} takes no folder for a split"
    return ConfigError("data.splits", "{}", f"{why}; {hint}")


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(f"{name}/" for name in names[:MOST_NAMED]) + more


def checked(splits: Mapping[str, Any]) -> dict[str, list[str]]:
    """``data.splits`` as split → folders, without those that are empty.

    Raises:
        ConfigError: another split than train and test, or no folder.
    """
    folders = {split: [named] if isinstance(named, str) else named for split, named in splits.items() if named != ""}
    for split, named in folders.items():
        key = f"splits.{split}"
        if split not in (TRAIN, TEST):
            raise ConfigError(key, splits[split], "is not a split; data.splits has train and test")
        if not isinstance(named, list) or not named or not all(isinstance(name, str) and name for name in named):
            raise ConfigError(key, splits[split], "a folder, such as Training, or a list of folders")
    if folders and TRAIN not in folders:
        raise ConfigError("splits", dict(splits), "must name a folder for train, such as {train:Training,test:Testing}")
    return {split: [name.strip("/") for name in named] for split, named in folders.items()}
