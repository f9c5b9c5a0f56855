"""A component is one file: ``@component("loss", "hinge")`` turns a class into a typed choice of its group.

Parameters of ``__init__`` *with* a default are configuration; parameters *without* are facts that the data
supplies when the component is built. The choice is stored by group and name, never by import path, so a
registered model outlives a moved file and no configuration can name arbitrary code.
"""

import dataclasses
import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar, cast

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from ganflow.config.similar_names import nearest
from ganflow.errors import ConfigError, UnknownKeyError, require

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Group:
    """The package that a kind of component lives in, and the slots of the configuration that choose one."""

    package: str  # whose modules are searched
    slots: tuple[str, ...]  # Hydra groups that it fills, as in "gan/loss"
    several: bool = False  # the slot holds any number of them, keyed by name
    key: str = ""  # where the name of one stands alone, as text, beside or without slots
    declares: tuple[str, ...] = ()  # attributes of its classes that configuration reads


GROUPS: dict[str, Group] = {
    "source": Group("ganflow.data.sources", ("data",)),
    "degradation": Group("ganflow.methods.degradations", ("given",), several=True),
    "method": Group("ganflow.methods", (), key="method", declares=("sections", "schedulable", "optimizers")),
    "generator": Group("ganflow.methods.networks", ("gan/generator",)),
    "discriminator": Group("ganflow.methods.networks", ("gan/discriminator",)),
    "encoder": Group("ganflow.methods.networks", ("vae/encoder", "detection/encoder")),
    "loss": Group("ganflow.methods.losses", ("gan/loss",)),
    "content_loss": Group("ganflow.methods.content_losses", ("gan/content",), several=True),
    "augmentation": Group("ganflow.methods.augment", ("gan/augmentation",)),
    "regularizer": Group("ganflow.methods.regularizers", ("gan/regularizers",), several=True),
    "optimizer": Group(
        "ganflow.methods.optimizers", ("optimizers/generator", "optimizers/discriminator", "optimizers/encoder")
    ),
    "imported": Group("ganflow.methods.imported", ()),
    "task": Group("ganflow.evaluation.tasks", ()),
    "extractor": Group("ganflow.evaluation.extractors", ("evaluation/extractor",)),
    "metric": Group(
        "ganflow.evaluation.metrics", ("evaluation/metrics",), several=True, declares=("figures", "bounded")
    ),
}

TYPES = {  # what OmegaConf says of a wrong type → what we say
    "could not be converted to Integer": "must be an integer",
    "could not be converted to Float": "must be a number",
    "is not a valid bool": "must be true or false",
    "is not a ListConfig, list or tuple": "must be a list, as in [a,b]",
    "to a string|not a string|converted to String": "must be text",
}

_registry: dict[tuple[str, str], type] = {}


def component(group: str, name: str) -> Callable[[type[T]], type[T]]:
    """Register a class as choice ``name`` of ``group`` (a key of :data:`GROUPS`)."""

    def register(cls: type[T]) -> type[T]:
        other = _registry.get((group, name))
        if other is not None and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(f"{group} {name!r} is already {other.__module__}.{other.__qualname__}")
        _registry[group, name] = cls
        return cls

    if group not in GROUPS:
        raise TypeError(f"no component group {group!r}; there are {', '.join(GROUPS)}")
    return register


@functools.cache
def _discover(package: str) -> None:
    module = importlib.import_module(package)
    for info in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{package}."):
        importlib.import_module(info.name)


def any_registered() -> bool:
    """True if the class of any component was imported."""
    return bool(_registry)


def choices(group: str) -> dict[str, type]:
    """Name → class of every component of ``group``, sorted by name."""
    _discover(GROUPS[group].package)
    return {name: cls for (g, name), cls in sorted(_registry.items()) if g == group}


def facts_of(cls: type) -> list[str]:
    """Names of the parameters that are facts (those without a default)."""
    parameters = inspect.signature(cls).parameters.values()
    anything = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)  # what nn.Module's own __init__ takes
    return [p.name for p in parameters if p.default is p.empty and p.kind not in anything]


@dataclasses.dataclass(frozen=True)
class Option:
    """An option of a component."""

    kind: Any  # its type
    default: object


def options_of(cls: type) -> dict[str, Option]:
    """The options of a component: its parameters with a default."""
    parameters = inspect.signature(cls, eval_str=True).parameters.values()
    made = {f.name: f.default_factory() for f in _fields(cls) if f.default_factory is not dataclasses.MISSING}
    defaults = {p.name: made.get(p.name, p.default) for p in parameters if p.default is not p.empty}
    return {p.name: Option(p.annotation, defaults[p.name]) for p in parameters if p.name in defaults}


@functools.cache
def schema(group: str, name: str) -> type:
    """The dataclass of a component's options; its first field ``name`` says which component it is."""
    cls = choices(group)[name]
    return structure(cls.__name__, name, options_of(cls))


def structure(title: str, name: str, options: Mapping[str, Option]) -> type:
    """The dataclass of such options."""
    fields = [(option, it.kind, _field(it.default)) for option, it in options.items()]
    return dataclasses.make_dataclass(f"{title}Options", [("name", str, _field(name)), *fields])


def _fields(cls: type) -> tuple["dataclasses.Field[object]", ...]:
    return dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()


def _field(default: object) -> object:
    if isinstance(default, list | dict):
        return dataclasses.field(default_factory=lambda: type(default)(default))
    return dataclasses.field(default=default)


def chosen(node: Mapping[str, object], key: str, names: Collection[str]) -> str:
    """The name of the component that a configuration node chooses.

    Args:
        node: ``{"name": …, option: value, …}``.
        key: where the node stands in ``params.yaml``, for the error.
        names: of the group.

    Raises:
        ConfigError: no such component.
    """
    name = node.get("name")
    if isinstance(name, str) and name in names:
        return name
    raise ConfigError(f"{key}.name", name, f"one of {', '.join(names)}{nearest(str(name), names)}")


def merge(structure: type, node: Mapping[str, object], key: str = "") -> DictConfig:
    """Merge a plain mapping onto a dataclass; a misfit is a :class:`ConfigError` with its full key."""
    config = defaults(structure)
    _check_mappings(config, node, key)
    try:
        merged = OmegaConf.merge(config, OmegaConf.create(dict(node)))
    except OmegaConfBaseException as error:
        raise _explain(error, config, node, key) from None
    assert isinstance(merged, DictConfig)
    _check_elements(merged, key)
    return merged


@functools.cache
def defaults(structure: type) -> DictConfig:
    """A dataclass's default values; only to be read."""
    return cast(DictConfig, OmegaConf.structured(structure))


def _check_elements(config: object, key: str) -> None:
    """OmegaConf takes a list or a mapping as an element of a list of numbers or text, so that is refused here."""
    if not isinstance(config, DictConfig):
        return
    for name in config:
        child = None if OmegaConf.is_missing(config, name) else config[name]
        path = ".".join(filter(None, [key, str(name)]))
        if isinstance(child, ListConfig) and child._metadata.element_type is not Any:
            for i, element in enumerate(child):
                plain = not OmegaConf.is_config(element) and element is not None
                require(plain, f"{path}[{i}]", element, "must be a single value")
        _check_elements(child, path)


def _check_mappings(config: DictConfig, node: Mapping[str, object], key: str) -> None:
    """OmegaConf does not say where a mapping was expected, so that is found out before."""
    for name, child in node.items():
        if name in config and OmegaConf.is_dict(config[name]):
            path = ".".join(filter(None, [key, str(name)]))
            if not isinstance(child, Mapping):
                raise ConfigError(path, child, "must be a mapping")
            _check_mappings(config[name], child, path)


def _explain(error: OmegaConfBaseException, config: DictConfig, node: Mapping[str, object], key: str) -> ConfigError:
    path = error.full_key or str(error.key)
    full = ".".join(filter(None, [key, path]))
    value = OmegaConf.select(OmegaConf.create(dict(node)), path)
    if isinstance(error, ConfigKeyError):
        parent = error.parent_node if error.parent_node is not None else config
        where = ".".join(filter(None, [key, parent._get_full_key(None)])) or "here"
        return UnknownKeyError(full, value, f"no such key; {where} has {', '.join(map(str, parent))}")
    if OmegaConf.is_list(OmegaConf.select(config, path)) and not OmegaConf.is_list(value):
        return ConfigError(full, value, "must be a list")
    return ConfigError(full, value, must_be(error))


def must_be(error: OmegaConfBaseException) -> str:
    """OmegaConf's complaint about a value of the wrong type, as the end of a sentence."""
    complaint = str(error).partition("\n    full_key:")[0]
    return next((sentence for pattern, sentence in TYPES.items() if re.search(pattern, complaint)), complaint)


def build(group: str, node: Mapping[str, object], key: str, **facts: object) -> Any:
    """Make the component that ``node`` names, with its options and those ``facts`` that it asks for.

    Raises:
        ConfigError: unknown component, unknown option, a value of the wrong type, or a fact that there is not; and
            whatever the component itself refuses, with the full key.
    """
    classes = choices(group)
    name = chosen(node, key, classes)
    merged = merge(schema(group, name), node, key)
    values = {str(k): OmegaConf.to_object(v) if OmegaConf.is_config(v) else v for k, v in merged.items() if k != "name"}
    cls = classes[name]
    for fact in facts_of(cls):
        require(fact in facts, f"{key}.name", name, f"asks for {fact}, which these data do not have")
    try:
        return cls(**values, **{fact: facts[fact] for fact in facts_of(cls)})
    except ConfigError as error:
        raise error.under(key) from None
