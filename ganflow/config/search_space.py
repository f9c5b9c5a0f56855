"""``tune.space``: which keys the search varies, and among which values.

The space mirrors the configuration. At the path of a key stands its distribution, as in
``optimizers: {generator: {lr: {log_uniform: [0.0001, 0.01]}}}``, and at the path of a component its names, as in
``gan: {loss: {choice: [hinge, minimax]}}``. Keys may also be written dotted or with a slash, ``gan/loss: {…}``; null
takes out what stands at or below a path.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, make_dataclass
from typing import Any

from ganflow.config import components, keys, spelling
from ganflow.config.similar_names import nearest
from ganflow.config.yaml_file import Node
from ganflow.errors import ConfigError, require

ROOT = "tune.space"
RANGES = ("uniform", "log_uniform", "int")
KINDS = ("choice", *RANGES)
FORMS = "{choice: [a, b, …]}, {uniform: [low, high]}, {log_uniform: [low, high]} or {int: [low, high]}"


@dataclass(frozen=True)
class Dimension:
    """A key that the search varies."""

    key: str  # as an override has it: training.batch, gan/loss
    kind: str  # one of KINDS
    values: list[Any]  # of a choice; [low, high] of a range

    @property
    def where(self) -> str:
        """The path of its values in ``params.yaml``."""
        return f"{ROOT}.{self.key.replace('/', '.')}.{self.kind}"


def nested(space: Mapping[str, object]) -> Node:
    """The space in its one form: as :func:`unfolded`, without what null takes out."""
    return _pruned(unfolded(space))


def unfolded(space: Mapping[str, Any]) -> Node:
    """The space nested like the configuration, however its keys were written."""
    whole: Node = {}
    for key, value in space.items():
        child = unfolded(value) if isinstance(value, Mapping) else value
        for name in reversed(re.split(r"[./]", str(key))):
            child = {name: child}
        _merge(whole, child)
    return whole


def _pruned(node: Mapping[str, object]) -> Node:
    children = {key: _pruned(child) if isinstance(child, Mapping) else child for key, child in node.items()}
    return {key: child for key, child in children.items() if child is not None and child != {}}


def _merge(into: Node, more: Node) -> None:
    for key, value in more.items():
        present = into.get(key)
        if isinstance(present, dict) and isinstance(value, dict):
            _merge(present, value)
        else:
            into[key] = value


def dimensions(space: Mapping[str, object]) -> list[Dimension]:
    """The dimensions of a nested space, in the order in which a trial draws them.

    Options of one name stand together, generator's and discriminator's learning rates for instance.

    Raises:
        ConfigError: no such key, or not one of :data:`FORMS`.
    """
    parts = list(_walk("", space))
    names = [dimension.key.replace("/", ".").rpartition(".")[2] for dimension in parts]
    return [parts[i] for i in sorted(range(len(parts)), key=lambda i: names.index(names[i]))]


def check(space: Mapping[str, object]) -> None:
    """Hold a nested space against the keys that there are and the types of their values.

    Raises:
        ConfigError: the first misfit.
    """
    for dimension in dimensions(space):
        if dimension.kind in RANGES:
            _check_range(dimension)
        for value in dimension.values:
            _check_value(dimension, value)


def _walk(path: str, node: object) -> Iterator[Dimension]:
    where = f"{ROOT}.{path}" if path else ROOT
    if not isinstance(node, Mapping):
        raise _misfit(path, where, node)
    kinds = [name for name in node if name in KINDS] if path else []
    drop = f"drop one: ~{where}.{kinds[0]}" if kinds else ""
    require(len(kinds) < 2, where, dict(node), f"has {len(kinds)} distributions, {' and '.join(kinds)}; {drop}")
    for kind in kinds:
        yield _dimension(path, where, kind, node[kind])
    for name, child in node.items():
        if name not in kinds:
            yield from _walk(f"{path}.{name}".lstrip("."), child)


def _misfit(path: str, where: str, value: object) -> ConfigError:
    """The error about a value at a path that is not a mapping."""
    parent, _, name = path.rpartition(".")
    if _is_key(path):
        return ConfigError(where, value, f"must be {FORMS}, as in {where}.choice=[…]")
    if _is_key(parent):
        near = nearest(name, KINDS)
        return ConfigError(where, value, f"is not a valid distribution; one of {', '.join(KINDS)}{near}")
    return _no_key(path, where, value)


def _is_key(path: str) -> bool:
    return path in keys.slots() or path in keys.known()


def _no_key(path: str, where: str, value: object) -> ConfigError:
    inside = [key for key in keys.known() if key.startswith(f"{path}.")]
    if inside:
        below = dict.fromkeys(key.removeprefix(f"{path}.").partition(".")[0] for key in inside)
        return ConfigError(where, value, f"is a section of params.yaml; name a key in it, one of {', '.join(below)}")
    return ConfigError(where, value, f"no such key in params.yaml{spelling.hint(path)}")


def _dimension(path: str, where: str, kind: str, values: Any) -> Dimension:
    if not _is_key(path):
        raise _no_key(path, where, {kind: values})
    where = f"{where}.{kind}"
    trained = keys.trained_sections()
    varied = f"the search varies what is trained: {', '.join(trained)}; never how it is measured or where it runs"
    require(path.partition(".")[0] in trained, where, values, varied)
    listed = "[a, b, …]" if kind == "choice" else "[low, high]"
    require(isinstance(values, list) and len(values) > 0, where, values, f"must be a list, {listed}")
    return Dimension(keys.slots().get(path, path), kind, values)


def _check_range(d: Dimension) -> None:
    numbers = len(d.values) == 2 and all(type(v) in (int, float) for v in d.values)
    require(numbers and d.values[0] < d.values[1], d.where, d.values, "needs two numbers, the lower one first")
    require(d.kind != "log_uniform" or d.values[0] > 0, d.where, d.values, "needs a lower end of more than 0")
    require("/" not in d.key, d.where, d.values, f"{d.key} is a component; choice=[a,b] has names")
    whole = f"{d.key} is not a decimal number; int=[low,high] has integers, choice=[a,b] any values"
    require(d.kind == "int" or keys.is_decimal(d.key), d.where, d.values, whole)
    sound = d.kind != "int" or all(type(v) is int for v in d.values)
    require(sound, d.where, d.values, "needs integers; uniform=[low,high] has decimal numbers")


def _check_value(d: Dimension, value: Any) -> None:
    if "/" not in d.key:
        try:
            components.merge(_holder(d.key), {"value": value})
        except ConfigError as error:
            raise ConfigError(d.where, d.values, f"{value} {error.allowed}") from None
        return
    plural, names = keys.several(d.key), keys.choices(d.key)
    form = "a list of names" if plural else "a name"
    require(isinstance(value, list) == plural, d.where, d.values, f"{value} must be {form}")
    for name in value if plural else [value]:
        one_of = f"{name} is not a valid choice of {d.key}; one of {', '.join(names)}"
        require(name in names, d.where, d.values, one_of + nearest(str(name), names))


@functools.cache
def _holder(key: str) -> type:
    """A schema of one value, of the type that stands at a key."""
    return make_dataclass("Holder", [("value", keys.known()[key])])
