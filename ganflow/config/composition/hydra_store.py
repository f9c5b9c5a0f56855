"""Hydra's store: the schema, every component and every recipe of :mod:`ganflow.config.recipes`, one YAML file each.

A recipe has defaults (its choices), options of those choices, and any other values. Its options go with the choices,
so that ``experiment=wgan_gp gan/generator=mlp`` leaves the ResNet's width behind: Hydra's store holds the options of
component c under recipe r as ``options/<slot>/<c>/r``, and c's own entry takes those of the recipe that is chosen.
What the default recipe says is every recipe's: it stands in c's own entry. Where c's options move to in the course of
a run, below ``training.schedule.to``, goes with c, too: ``moves/<slot>/<c>/r``.
"""

import copy
import dataclasses
import functools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigNode, ConfigStore
from omegaconf import DictConfig, OmegaConf

from ganflow.config import catalogue, components, keys, search_space
from ganflow.config.composition.data_name import data_name
from ganflow.config.recipes import built_in
from ganflow.config.schema import Config
from ganflow.config.yaml_file import Node

PRIMARY = Path(__file__).with_name("config.yaml")  # what Hydra begins with
BASE = "default"  # the recipe that the others are differences from

Options = dict[tuple[str, str], Node]  # by slot and component

_of_every_recipe: Options = {}
_of_a_recipe: set[tuple[str, str]] = set()  # what some recipe has options for
_moved: set[tuple[str, str]] = set()  # what some recipe has options for that move


def register() -> None:
    """Put everything into Hydra's store; a slot for several components takes them keyed by name."""
    OmegaConf.register_new_resolver("data_name", _data_name, replace=True)
    # Hydra copies the one store with every composition, which takes two fifths of it, and what it loads from it anyway.
    setattr(ConfigStore, "__deepcopy__", lambda store, memo: store)  # noqa: B010
    _put("", "schema", _schema)
    for recipe in built_in.names():
        _store_recipe(recipe, built_in.body(recipe))
    _store_components()


class _LateNode(ConfigNode):
    """A node that is made when Hydra copies it out of its store: a composition takes few of all that there are."""

    def __init__(self, name: str, group: str, package: str | None, make: Callable[[], DictConfig]) -> None:
        self.name, self.group, self.package, self.provider = name, group, package, None
        self.make = functools.cache(make)

    def __copy__(self) -> ConfigNode:
        return ConfigNode(self.name, self.make(), self.group, self.package, self.provider)


def _put(group: str, name: str, make: Callable[[], DictConfig], package: str | None = None) -> None:
    """Put a node into Hydra's store, as :meth:`ConfigStore.store` does."""
    folder = ConfigStore.instance().repo
    for step in filter(None, group.split("/")):
        folder = folder.setdefault(step, {})
    folder[f"{name}.yaml"] = _LateNode(f"{name}.yaml", group, package, make)


def _data_name(*, _root_: DictConfig) -> str:
    source, path = (OmegaConf.select(_root_, f"data.{key}", default="") for key in ("name", "path"))
    return data_name(str(source or ""), str(path or ""))


def _schema() -> DictConfig:
    """The schema; mappings that take new keys take them without ``+``."""
    schema = copy.deepcopy(components.defaults(Config))
    for key in keys.OPEN:
        OmegaConf.set_struct(OmegaConf.select(schema, key), False)
    return schema


def add_recipe(recipe: str, body: Node) -> None:
    """Put one more recipe into Hydra's store."""
    _store_recipe(recipe, body)
    _store_components()


def _store_recipe(recipe: str, body: Node) -> None:
    """Put a recipe into Hydra's store, its options for components apart."""
    places = {(slot, name): package for slot, _, name, package in _components()}
    body = copy.deepcopy(body)
    its = _choices(built_in.read(PRIMARY)) | _choices(body)
    ends = _take_options(_mapping_at(body, "training", "schedule", "to"), its)
    for (slot, name), node in ends.items():
        _put(f"moves/{slot}/{name}", recipe, partial(_below, f"training.schedule.to.{places[slot, name]}", node))
    _moved.update(ends)
    options = _take_options(body, its)
    if space := _mapping_at(body, "tune", "space"):
        body["tune"]["space"] = search_space.unfolded(space)
    _put("experiment", recipe, partial(_config, body | {"recipe": recipe}), "_global_")
    if recipe == BASE:  # what the default recipe says is every recipe's
        _of_every_recipe.update(options)
        return
    for (slot, name), node in options.items():
        _put(f"options/{slot}/{name}", recipe, partial(_config, node))
    _of_a_recipe.update(options)


def _store_components() -> None:
    """Put every component into Hydra's store."""
    for slot, group, name, package in _components():
        _put(slot, name, partial(_entry, slot, group, name), package)


def _entry(slot: str, group: str, name: str) -> DictConfig:
    """A component's options; it asks the chosen recipe only for what some recipe says of it.

    Hydra's time grows with the number of such questions.
    """
    questions = {
        f"optional /options/{slot}/{name}@_here_": (slot, name) in _of_a_recipe,
        f"optional /moves/{slot}/{name}@_global_": (slot, name) in _moved,
    }
    asked = [{question: "${experiment}"} for question, has_answers in questions.items() if has_answers]
    schema = catalogue.schema(group, name)
    entry: DictConfig = OmegaConf.structured(_with_defaults(schema, ["_self_", *asked]) if asked else schema)
    entry.merge_with(_of_every_recipe.get((slot, name), {}))
    return entry


def _below(path: str, node: Node) -> DictConfig:
    whole = _config({})
    OmegaConf.update(whole, path, node)
    return whole


def _config(node: Node) -> DictConfig:
    return OmegaConf.create(node)


def _with_defaults(schema: type, defaults: list[Any]) -> type:
    """A structured config that brings a defaults list, in the form that Hydra reads."""
    field = ("defaults", list[Any], dataclasses.field(default_factory=lambda: defaults))
    return dataclasses.make_dataclass(schema.__name__, [field], bases=(schema,))


@functools.cache
def chosen_by_recipes() -> dict[str, Node]:
    """Recipe → what it chooses, by slot."""
    base = _choices(built_in.read(PRIMARY))
    return {recipe: base | _choices(built_in.body(recipe)) for recipe in built_in.names()}


def _components() -> list[tuple[str, str, str, str]]:
    """Slot, group, name, where its options stand."""
    return [
        (slot, group, name, slot.replace("/", ".") + (f".{name}" if spec.several else ""))
        for group, spec in components.GROUPS.items()
        for name in catalogue.entries(group)
        for slot in spec.slots
    ]


def _choices(node: Node) -> Node:
    """Slot → choice of a defaults list."""
    pairs = [pair for item in node.get("defaults", ()) if isinstance(item, dict) for pair in item.items()]
    return {str(key).removeprefix("override ").lstrip("/"): choice for key, choice in pairs}


def _take_options(recipe: Node, chosen: Node) -> Options:
    """Take the options of components out of a recipe, or out of a part that mirrors it."""
    taken: Options = {}
    for spec in components.GROUPS.values():
        for slot in spec.slots:
            *parents, last = slot.split("/")
            node = _mapping_at(recipe, *parents)
            options = node.pop(last, {}) if isinstance(node.get(last, {}), dict) else {}
            named = options if spec.several else {chosen[slot]: options}
            taken |= {(slot, name): its for name, its in named.items() if its}
    return taken


def _mapping_at(node: Node, *path: str) -> Node:
    """A mapping in a recipe; an empty one where there is none, or where something else stands, which Hydra refuses."""
    for name in path:
        inner = node.get(name)
        node = inner if isinstance(inner, dict) else {}
    return node
