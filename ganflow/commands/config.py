"""`ganflow config`: write ``params.yaml``, hold it against the schema, show what there is to choose.

Only what composes a configuration imports Hydra.
"""

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import yaml

from ganflow.atomic_files import write_out
from ganflow.config import catalogue, components, params_file, spelling
from ganflow.config.recipes import built_in, own_recipes
from ganflow.config.schema import Config
from ganflow.config.similar_names import nearest, plain
from ganflow.config.yaml_file import Node, key_lines
from ganflow.errors import ConfigError, GanflowError
from ganflow.tracking.runs.flat_params import flatten

T = TypeVar("T")

_NOTHING = "(nothing)"
RECIPES = "experiment"


def compose(overrides: Sequence[str], out: Path) -> list[str]:
    """Compose a configuration and write it; one line per value that changed."""
    from ganflow.config import composition

    composed = composition.compose(overrides)
    before = flatten(params_file.read(out)) if out.is_file() else None
    write_out(out, params_file.dump(composed))
    if before is None:
        return [f"wrote {out}"]
    changes = [f"{key}: {old} -> {new}" for key, old, new in _differences(before, flatten(asdict(composed)))]
    return [*changes, f"wrote {out}: {len(changes) or 'no'} changes"]


def show(path: Path, key: str | None) -> str:
    """The configuration as stages see it, or the part of it under ``key``, as YAML."""
    node: Any = asdict(params_file.load(path))
    above = ""
    for part in filter(None, re.split(r"[./]", key or "")):
        if not isinstance(node, dict) or part not in node:
            has = ", ".join(node) if isinstance(node, dict) and node else "none"
            raise GanflowError(f"{key}: no such key; {above or path} has {has}{spelling.hint(str(key))}")
        node, above = node[part], f"{above}.{part}".lstrip(".")
    return yaml.safe_dump(node, sort_keys=False, allow_unicode=True)


def check(path: Path) -> tuple[list[str], list[str]]:
    """Hold ``params.yaml`` against the schema and against its recipe.

    Returns:
        One line per misfit, with its line in the file, and one per value that is not the recipe's.
    """
    node, lines = params_file.read(path), key_lines(path)
    errors, typed = _misfits(node)
    misfits = [f"{_where(path, lines, error.key)}: {error}" for error in errors]
    if typed is None:
        return misfits, []
    whole, refused = flatten(asdict(typed)), {error.key for error in errors}
    present = flatten(node)
    for key in (key for key in whole if key not in present and not _below(key, refused)):
        misfits.append(f"{path}: {key} is missing; stages take {whole[key]}, `ganflow config compose` writes it")
    misfits += _own_misfits()
    if not misfits and typed.tune.trials:
        misfits += [f"{_where(path, lines, error.key)}: {error}" for error in _search_misfits(typed)]
    return misfits, [] if misfits else _against_recipe(typed)


def _own_misfits() -> list[str]:
    """A line for each of the project's own recipes that cannot be composed."""
    from ganflow.config import composition

    return [line for name in own_recipes.names() if (line := _misfit(composition.compose, [f"{RECIPES}={name}"]))]


def _misfit(action: Callable[[T], object], argument: T) -> str:
    try:
        action(argument)
    except GanflowError as error:
        return str(error)
    return ""


def _search_misfits(typed: Config) -> list[ConfigError]:
    """The first value of ``tune.space`` that does not go with the rest."""
    from ganflow.cluster.jobs import trial_values

    try:
        trial_values.check_values(typed)
    except ConfigError as error:
        return [error]
    except GanflowError:  # no such recipe any more, which is told elsewhere
        return []
    return []


def choices(group: str | None) -> Iterator[str]:
    """The recipes, and every slot's choices, each with what it is, its options and their defaults."""
    slots = {slot: name for name, spec in components.GROUPS.items() for slot in (*spec.slots, spec.key) if slot}
    if group not in (None, RECIPES, *slots):
        raise ConfigError("group", group, f"one of {', '.join([RECIPES, *slots])}{_group_meant(str(group), slots)}")
    if group in (None, RECIPES):
        yield RECIPES
        yield from (f"  {name}: {built_in.about(name)}" for name in built_in.names())
        yield from (
            f"  {name}: {_misfit(own_recipes.body, name) or own_recipes.about(name)}" for name in own_recipes.names()
        )
    if group == RECIPES:
        return
    for slot in [group] if group else slots:
        plural = " (any number)" if components.GROUPS[slots[slot]].several else ""
        yield f"{slot}{plural}"
        for name, entry in catalogue.entries(slots[slot]).items():
            yield f"  {name}: {entry.about}"
            yield from (f"      {option} = {its.default}" for option, its in entry.options.items())


def _group_meant(typed: str, slots: Mapping[str, str]) -> str:
    """The groups that a name may have meant: by its last word, or as it looks."""
    word = plain(typed.replace(".", "/").rpartition("/")[2])
    meanings = {**dict.fromkeys(("recipe", "recipes", "experiments"), RECIPES)}
    same = [slot for slot in slots if slot.rpartition("/")[2].startswith(word) or slots[slot] == word]
    inside = [slot for slot in slots if slot.startswith(f"{word}/") or word in catalogue.entries(slots[slot])]
    meant = [meanings[word]] if word in meanings else same or inside
    return f"; did you mean {' or '.join(meant)}?" if meant else nearest(typed, [RECIPES, *slots])


def _misfits(node: Node) -> tuple[list[ConfigError], Config | None]:
    """Every misfit, found by taking out one after the other; None when what is left cannot be judged."""
    node, errors = copy.deepcopy(node), list[ConfigError]()
    while True:
        try:
            return errors, params_file.check(node)
        except ConfigError as error:
            errors.append(error)
            if not _take_out(node, error.key):
                return errors, None


def _take_out(node: Node, key: str) -> bool:
    if key in node:
        del node[key]
        return True
    inner = [(name, child) for name, child in node.items() if isinstance(child, dict) and key.startswith(f"{name}.")]
    return any(_take_out(child, key.removeprefix(f"{name}.")) for name, child in inner)


def _below(key: str, parents: set[str]) -> bool:
    return any(key == parent or key.startswith(f"{parent}.") for parent in parents)


def _against_recipe(typed: Config) -> list[str]:
    """Values that are not those of the configuration's recipe."""
    from ganflow.config import composition

    try:
        recipe = flatten(asdict(composition.recipe_of(typed)))
    except GanflowError as error:
        return [f"recipe={typed.recipe} cannot be composed: {error}"]
    differences = _differences(recipe, flatten(asdict(typed)))
    return [f"{key}={new} (recipe {typed.recipe}: {old})" for key, old, new in differences]


def _differences(old: Mapping[str, object], new: Mapping[str, object]) -> list[tuple[str, object, object]]:
    pairs = [(key, old.get(key, _NOTHING), new.get(key, _NOTHING)) for key in dict.fromkeys([*old, *new])]
    return [pair for pair in pairs if pair[1] != pair[2]]


def _where(path: Path, lines: Mapping[str, int], key: str) -> str:
    """The file and the line of a key, or of the nearest key above it."""
    while key and key not in lines:
        key = key.rpartition(".")[0]
    return f"{path}:{lines[key]}" if key else str(path)
