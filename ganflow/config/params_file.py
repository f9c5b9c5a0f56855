"""``params.yaml`` read and checked: every value against the schema, and values against each other.

``params.yaml`` is the composed record of one configuration (:mod:`ganflow.config.composition` composes it). Every
stage loads it through :func:`load`, so a stage never sees an unknown key, a wrong type or an impossible value.
"""

import math
from dataclasses import asdict
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

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
        config = _merged(node)
    except UnknownKeyError as error:
        raise ConfigError(error.key, error.value, error.allowed + spelling.hint(error.key)) from None
    typed = OmegaConf.to_object(config)
    assert isinstance(typed, Config)
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


def _merged(node: Node) -> DictConfig:
    """The mapping on the schema, and every component in it on its own."""
    config = components.merge(Config, node | _space_of(node))
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise ConfigError(missing[0], "???", "must be set")
    for group, spec in components.GROUPS.items():
        for slot in spec.slots:
            _check_slot(config, group, slot.replace("/", "."), spec.several)
    return config


def _space_of(node: Node) -> Node:
    """The section ``tune`` with its space in the one nested form; nothing where there is none."""
    tune = node.get("tune")
    if not isinstance(tune, dict) or not isinstance(tune.get("space", {}), dict | None):
        return {}
    return {"tune": {**tune, "space": search_space.nested(tune.get("space") or {})}} if "space" in tune else {}


def _check_slot(config: DictConfig, group: str, key: str, plural: bool) -> None:
    node = OmegaConf.select(config, key)
    for name, child in node.items() if plural else [("", node)]:
        path = f"{key}.{name}".rstrip(".")
        require(OmegaConf.is_dict(child), path, child, "must be a component: {name: …, option: value}")
        merged = catalogue.options(group, child, path)
        require(not plural or merged.name == name, f"{path}.name", merged.name, f"must be {name}, its key")
        plain = OmegaConf.to_container(merged)
        OmegaConf.update(config, path, plain, merge=False)


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
    return OmegaConf.to_yaml(OmegaConf.structured(config))
