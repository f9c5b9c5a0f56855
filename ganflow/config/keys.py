"""Every key of ``params.yaml`` that an override may name, and the type of what stands there.

Keys are dotted paths. The options of every component count, chosen or not: ``gan.loss.smoothing`` is a key although
only some losses have it.
"""

import functools
import types
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from ganflow.config import catalogue, components
from ganflow.config.schema import Config

OPEN = ("tune.space", "training.schedule.to", "promotion.limits", "promotion.first")  # mappings that take new keys


@functools.cache
def known() -> dict[str, object]:
    """Dotted key → annotated type, for every leaf of the schema and every option of every component."""
    types = dict(_of_schema("", Config))
    for slot, group, name in _every_choice():
        path = slot.replace("/", ".") + (f".{name}" if components.GROUPS[group].several else "")
        for option, kind in options(group, name).items():
            key = f"{path}.{option}"
            types[key] = kind if types.get(key, kind) == kind else Any  # components differ
    return {key: kind for key, kind in types.items() if key not in slots()}


@functools.cache
def options(group: str, name: str) -> dict[str, object]:
    """The options of a component and their types."""
    return {option: its.kind for option, its in catalogue.entries(group)[name].options.items()}


@functools.cache
def sections() -> list[str]:
    """Dotted paths with keys below them."""
    parents = {".".join(key.split(".")[:n]) for key in known() for n in range(1, key.count(".") + 1)}
    return sorted(parents)


def trained_sections() -> list[str]:
    """The parts of ``params.yaml`` that say what is trained: those that every method shares, and each method's own."""
    methods = catalogue.entries("method").values()
    of_methods = dict.fromkeys(section for method in methods for section in method.declares["sections"])
    return ["seed", "method", *of_methods, "optimizers", "training"]


@functools.cache
def slots() -> dict[str, str]:
    """Dotted path of every slot for components → its Hydra group, as ``gan.loss`` → ``gan/loss``."""
    return {slot.replace("/", "."): slot for spec in components.GROUPS.values() for slot in spec.slots}


def group_of(slot: str) -> str:
    """The component group that fills a slot."""
    return next(name for name, spec in components.GROUPS.items() if slot in spec.slots)


def choices(slot: str) -> list[str]:
    """Names of the components that may fill a slot."""
    return list(catalogue.entries(group_of(slot)))


def is_open(key: str) -> bool:
    """True if a key stands in a mapping that takes new keys, or is one."""
    return any(key == parent or key.startswith(f"{parent}.") for parent in OPEN)


def several(slot: str) -> bool:
    """True if a slot holds any number of components."""
    return components.GROUPS[group_of(slot)].several


def _every_choice() -> Iterator[tuple[str, str, str]]:
    for group, spec in components.GROUPS.items():
        for slot in spec.slots:
            for name in catalogue.entries(group):
                yield slot, group, name


def is_text(key: str) -> bool:
    """True if a key holds text, and nothing else but null."""
    kind = known().get(key)
    return kind is not None and set(_members(kind)) <= {str, type(None)}


def is_decimal(key: str) -> bool:
    """True if a key holds a decimal number."""
    return float in _members(known().get(key))


def name_of_type(kind: object) -> str:
    """A type as a sentence has it; empty for one that takes anything."""
    names = {int: "an integer", float: "a number", bool: "true or false", str: "text", type(None): "null"}
    members = [names.get(member, "a list" if typing.get_origin(member) is list else "") for member in _members(kind)]
    return " or ".join(members) if all(members) else ""


def _members(kind: object) -> tuple[Any, ...]:
    return typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)


def _of_schema(prefix: str, cls: type) -> Iterator[tuple[str, object]]:
    hints = typing.get_type_hints(cls)
    for field in fields(cls):
        key, kind = f"{prefix}{field.name}", hints[field.name]
        if is_dataclass(kind):
            yield from _of_schema(f"{key}.", typing.cast(type, kind))
        else:
            yield key, kind
