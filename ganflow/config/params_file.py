"""``params.yaml`` read and checked: every value against the schema, and values against each other.

``params.yaml`` is the composed record of one configuration (:mod:`ganflow.config.composition` composes it). Every
stage loads it through :func:`load`, so a stage never sees an unknown key, a wrong type or an impossible value.
"""

import copy
import functools
import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from ganflow.config import catalogue, components, search_space, spelling
from ganflow.config.scheduled_options import below, moving
from ganflow.config.schema import Config
from ganflow.config.validation import check_values
from ganflow.config.yaml_file import Node, read_mapping
from ganflow.errors import ConfigError, UnknownKeyError, require

PARAMS = Path("params.yaml")


def load(path: Path = PARAMS) -> Config:
    """Read and check a ``params.yaml``.

    Raises:
        GanflowError: see :func:`read`.
        ConfigError: see :func:`check`.
    """
    return check(read(path))


def read(path: Path = PARAMS) -> Node:
    """A ``params.yaml`` as it stands, unchecked.

    Raises:
        GanflowError: the file is missing, or is not a YAML mapping in UTF-8.
    """
    return read_mapping(path, "`ganflow config compose` writes it")


def check(node: Node) -> Config:
    """Hold a plain mapping against the schema, every component against its own, and values against each other.

    Raises:
        ConfigError: an unknown key, a wrong type, an impossible value.
    """
    _check_plain("", node)
    try:
        typed = _typed(node)
    except UnknownKeyError as error:
        raise ConfigError(error.key, error.value, error.allowed + spelling.hint(error.key)) from None
    _check_plain("", asdict(typed))  # once more, for text such as "inf" is a number by now
    check_values(typed)
    search_space.check(typed.tune.space)
    try:
        at_the_end(typed)
    except ConfigError as error:
        raise error.under("training.schedule.to") from None
    return typed


def _check_plain(key: str, value: object) -> None:
    """``params.yaml`` is read by others too, so it holds plain finite values; references were resolved by compose."""
    if isinstance(value, dict):
        for name, child in value.items():
            require(isinstance(name, str), key or "params.yaml", name, "keys must be text")
            _check_plain(f"{key}.{name}".lstrip("."), child)
    elif isinstance(value, list | tuple):
        for i, child in enumerate(value):
            _check_plain(f"{key}[{i}]", child)
    else:
        plain = isinstance(value, str | bool | int | float | None)
        require(plain, key, value, "must be text, a number, a list or a mapping")
        require(not isinstance(value, int) or abs(value) < 1 << 63, key, value, "must fit into 64 bits")
        require(not isinstance(value, float) or math.isfinite(value), key, value, "must be a finite number")
        require(value != "???", key, value, "must be set")
        require(not isinstance(value, str) or "${" not in value, key, value, "must be a value, not a reference")


def _typed(node: Node) -> Config:
    """The mapping on the schema, and every component in it on its own."""
    typed = copy.deepcopy(_frame(json.dumps(_without_options(node | _space_of(node)))))
    chosen = {key: _chosen(below(node, key), group, key, plural) for group, key, plural in _slots()}
    for key, component in chosen.items():
        *parents, last = key.split(".")
        setattr(functools.reduce(getattr, parents, typed), last, component)
    return typed


@functools.lru_cache(maxsize=64)
def _frame(node: str) -> Config:
    """A configuration from JSON, without options of components; only to be read. A search checks one over and over."""
    config = components.merge(Config, json.loads(node))
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise ConfigError(missing[0], "???", "must be set")
    typed = OmegaConf.to_object(config)
    assert isinstance(typed, Config)
    return typed


def _slots() -> Iterator[tuple[str, str, bool]]:
    """Group, dotted key, and whether it holds any number of components."""
    for group, spec in components.GROUPS.items():
        yield from ((group, slot.replace("/", "."), spec.several) for slot in spec.slots)


def _without_options(node: Node) -> Node:
    """The mapping with empty components: OmegaConf takes its time, and their options have schemas of their own."""
    node = copy.deepcopy(node)
    for _, key, plural in _slots():
        parent, _, last = key.rpartition(".")
        around = below(node, parent) if parent else node
        slot = around.get(last) if isinstance(around, dict) else None
        if isinstance(slot, dict):
            around[last] = {name: {} if isinstance(child, dict) else child for name, child in slot.items() if plural}
    return node


def _space_of(node: Node) -> Node:
    """The section ``tune`` with its space in the one nested form; nothing where there is none."""
    tune = node.get("tune")
    if not isinstance(tune, dict) or not isinstance(tune.get("space", {}), dict | None):
        return {}
    return {"tune": {**tune, "space": search_space.nested(tune.get("space") or {})}} if "space" in tune else {}


def _chosen(node: Any, group: str, key: str, plural: bool) -> Node:
    """The component in a slot, or all of them by name, with all of their options."""
    if not plural:
        return _component(node, group, key)
    chosen: Node = {}
    for name, child in (node or {}).items():
        chosen[name] = _component(child, group, f"{key}.{name}")
        its = chosen[name]["name"]
        require(its == name, f"{key}.{name}.name", its, f"must be {name}, its key")
    return chosen


def _component(node: object, group: str, key: str) -> Node:
    require(isinstance(node, dict), key, node, "must be a component: {name: …, option: value}")
    return copy.deepcopy(_options(group, key, json.dumps(node)))


@functools.lru_cache(maxsize=1024)
def _options(group: str, key: str, node: str) -> Node:
    """A component from JSON, with all of its options; only to be read, as :func:`_frame`."""
    held = OmegaConf.to_container(catalogue.options(group, json.loads(node), key))
    assert isinstance(held, dict)
    return {str(option): value for option, value in held.items()}


def at_the_end(config: Config) -> Config:
    """The configuration with the values that ``training.schedule.to`` leads to; itself where nothing moves.

    Raises:
        ConfigError: values that cannot work, with their keys.
    """
    ends = moving(config)
    if not ends:
        return config
    node = asdict(config)
    node["training"]["schedule"]["to"] = {}
    for key, end in ends.items():
        parent, _, option = key.rpartition(".")
        below(node, parent)[option] = end
    return check(node)


def dump(config: Config) -> str:
    """The configuration as the YAML of ``params.yaml``."""
    return OmegaConf.to_yaml(OmegaConf.create(asdict(config)))
