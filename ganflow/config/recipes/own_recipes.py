"""A project's own recipes: ``recipes/NAME.yaml`` beside ``params.yaml``, in the form of the built-in ones.

They are read whenever a configuration is composed. A copy of the project that DVC makes has those that git tracks, and
finds the others in the project; a worker on another node has those that were handed over to it.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from ganflow.config import catalogue, keys, project_folder, spelling
from ganflow.config.recipes import built_in
from ganflow.config.similar_names import nearest
from ganflow.config.yaml_file import Node, read_mapping, read_text
from ganflow.errors import GanflowError

FOLDER = Path("recipes")
NAME = re.compile(r"[\w-]+")

_handed_over: dict[str, Node] = {}


def names() -> list[str]:
    """The project's own recipes, sound or not."""
    return sorted({file.stem for file in _files("*") if not file.name.startswith(".")} | set(_handed_over))


def path_of(name: str) -> Path:
    """The file of a recipe."""
    return next(_files(name), FOLDER / f"{name}.yaml")


def _files(name: str) -> Iterator[Path]:
    """Files of this name; in a copy that DVC made, those that it lacks are the project's."""
    for folder in dict.fromkeys((FOLDER, project_folder.place(FOLDER))):
        yield from sorted(folder.glob(f"{name}.y*ml"))


def body(name: str) -> Node:
    """A recipe as it stands in its file.

    Raises:
        GanflowError: the file cannot be used; the line begins with its path.
    """
    path = path_of(name)
    if not path.exists() and name in _handed_over:
        return _handed_over[name]
    _check_name(name, path)
    node = read_mapping(path, "it holds what differs from the default recipe, as in ganflow/config/recipes")
    for key in node:
        if not isinstance(key, str):
            raise GanflowError(f"{path}: {key}: keys must be text")
        if key == "recipe":
            raise GanflowError(f"{path}: recipe={node[key]}: is the file's name, so take this line out")
    return node | {"defaults": [_choice(path, item) for item in _defaults(path, node)]}


def hand_over(name: str) -> dict[str, Node]:
    """A recipe as another process needs it; empty for a built-in one."""
    return {name: body(name)} if name in names() and name not in built_in.names() else {}


def take(recipes: dict[str, Node]) -> None:
    """Know of recipes that another process handed over."""
    _handed_over.update(recipes)


def about(name: str) -> str:
    """A recipe's comment with its file."""
    path = path_of(name)
    comment = built_in.comment(read_text(path, "it is named by experiment="))
    return f"{comment} ({path})" if comment else str(path)


def _check_name(name: str, path: Path) -> None:
    if name in built_in.names():
        raise GanflowError(f"{path}: {name} is a built-in recipe; rename the file, and take it by its new name")
    if NAME.fullmatch(name) is None:
        raise GanflowError(f"{path}: a recipe's name has letters, digits, _ and - only; rename the file")
    if path.suffix != ".yaml":
        raise GanflowError(f"{path}: a recipe's file ends in .yaml; rename it to {name}.yaml")


def _defaults(path: Path, node: Node) -> list[object]:
    defaults = node.get("defaults")
    if not isinstance(defaults, list | None):
        raise GanflowError(f"{path}: defaults={defaults}: must be a list of choices, as in `- gan/loss: hinge`")
    return [item for item in defaults or [] if item != "_self_"]


def _choice(path: Path, item: object) -> Node:
    """One choice in Hydra's form; ``gan/loss: hinge`` is taken for ``override /gan/loss: hinge``."""
    if not isinstance(item, dict) or len(item) != 1:
        raise GanflowError(f"{path}: defaults: {item}: must be a choice, as in `- gan/loss: hinge`")
    ((key, value),) = item.items()
    slot = str(key).removeprefix("override ").strip().lstrip("/")
    path_of_slot = slot.replace("/", ".")
    if keys.slots().get(path_of_slot) != slot:
        meant = keys.slots().get(path_of_slot)
        hint = f"; did you mean {meant}?" if meant else spelling.hint(slot)
        raise GanflowError(f"{path}: defaults: {slot}: is not a group of components{hint}")
    plural, names = keys.several(slot), list(catalogue.entries(keys.group_of(slot)))
    if isinstance(value, list) != plural:
        raise GanflowError(f"{path}: defaults: {slot}={value}: must be {'a list of names' if plural else 'a name'}")
    for name in value if plural else [value]:
        if name not in names:
            allowed = f"one of {', '.join(names)}{nearest(str(name), names)}"
            raise GanflowError(f"{path}: defaults: {slot}={name}: {allowed}")
    return {f"override /{slot}": value}
