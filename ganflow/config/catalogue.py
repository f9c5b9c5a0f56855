"""The catalogue: what configuration asks of components before one is built, read without importing their modules.

Those import torch, which takes seconds. So what the classes say is kept as JSON in the user's cache folder, under the
digest of all that they are made of; where it is missing, damaged or cannot be kept, the classes are asked.
"""

import functools
import hashlib
import importlib
import inspect
import json
import operator
import os
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

import ganflow
from ganflow.atomic_files import write_whole
from ganflow.config import components
from ganflow.config.components import GROUPS, Group, Option

KEPT = 16  # catalogues in the cache folder: of as many states of the sources
PLAIN: dict[str, Any] = {kind.__name__: kind for kind in (str, int, float, bool, list, tuple, dict, type(None), Any)}
UNION = "|"


@dataclass(frozen=True)
class Entry:
    """A component, as its class describes it."""

    title: str  # the name of its class
    about: str  # the first line of its docstring
    options: Mapping[str, Option]
    declares: Mapping[str, Any]  # the attributes that its group names, as plain values


Catalogue = dict[str, dict[str, Entry]]  # by group and name


def entries(group: str) -> dict[str, Entry]:
    """Name → entry of every component of ``group``, sorted by name."""
    return _catalogue()[group]


@functools.cache
def schema(group: str, name: str) -> type:
    """As :func:`ganflow.config.components.schema`."""
    entry = entries(group)[name]
    return components.structure(entry.title, name, entry.options)


def options(group: str, node: Mapping[str, object], key: str) -> DictConfig:
    """Hold a configuration node against its component's schema.

    Args:
        group: component group.
        node: ``{"name": …, option: value, …}``; options that are left out take their default.
        key: where the node stands in ``params.yaml``, for the error.

    Raises:
        ConfigError: unknown component, unknown option, or a value of the wrong type.
    """
    name = components.chosen(node, key, entries(group))
    return components.merge(schema(group, name), node, key)


@functools.cache
def _catalogue() -> Catalogue:
    fresh, digest = not components.any_registered(), _digest()
    stored = _read(digest)
    if stored is not None:
        return {group: {name: _entry(node) for name, node in named.items()} for group, named in stored.items()}
    made = {group: _described(group) for group in GROUPS}
    if fresh and _digest() == digest:  # else a class may be of another state of the sources
        _keep(digest, made)
    return made


def _described(group: str) -> dict[str, Entry]:
    return {name: _description(cls, GROUPS[group]) for name, cls in components.choices(group).items()}


def _description(cls: type, group: Group) -> Entry:
    declares = {name: _plain(getattr(cls, name)) for name in group.declares}
    about = (inspect.getdoc(cls) or "").partition("\n")[0]
    return Entry(cls.__name__, about, components.options_of(cls), declares)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(child) for child in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _digest() -> str:
    """The digest of all sources that a component may be made of, and of the Python that reads them."""
    whole = hashlib.sha256(sys.version.encode())
    for name, content in _sources():
        whole.update(f"\0{name}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()


def _sources() -> Iterator[tuple[str, bytes]]:
    packages = [ganflow, *(importlib.import_module(package) for package in {spec.package for spec in GROUPS.values()})]
    root, folders = ganflow.__path__[0], {Path(folder) for package in packages for folder in package.__path__}
    for file in sorted({file for folder in folders for file in folder.rglob("*.py") if file.is_file()}):
        yield os.path.relpath(file, root), file.read_bytes()


def _file(digest: str) -> Path:
    """The place of a catalogue.

    Raises:
        RuntimeError: the user has no home.
    """
    cache = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(cache) if os.path.isabs(cache) else Path.home() / ".cache") / "ganflow/catalogue" / f"{digest}.json"


def _read(digest: str) -> dict[str, Any] | None:
    """The catalogue that is kept, as JSON has it; None where there is none, or a damaged one."""
    try:
        checksum, content = _file(digest).read_bytes().split(b"\n", 1)
    except (OSError, RuntimeError, ValueError):
        return None
    return json.loads(content) if hashlib.sha256(content).hexdigest().encode() == checksum else None


def _keep(digest: str, catalogue: Catalogue) -> None:
    content = json.dumps({g: {name: _node(entry) for name, entry in named.items()} for g, named in catalogue.items()})
    try:
        file = _file(digest)
        write_whole(file, f"{hashlib.sha256(content.encode()).hexdigest()}\n{content}")
        for old in sorted(file.parent.iterdir(), key=lambda other: other.stat().st_mtime)[:-KEPT]:
            old.unlink(missing_ok=True)
    except (OSError, RuntimeError):  # it is made again next time
        return


def _node(entry: Entry) -> dict[str, object]:
    kinds = {name: [_spelled(option.kind), option.default] for name, option in entry.options.items()}
    return {"title": entry.title, "about": entry.about, "options": kinds, "declares": entry.declares}


def _entry(node: dict[str, Any]) -> Entry:
    return Entry(**node | {"options": {name: _option(*option) for name, option in node["options"].items()}})


def _option(spelled: Any, default: Any) -> Option:
    kind = _kind(spelled)
    return Option(kind, tuple(default) if typing.get_origin(kind) is tuple else default)


def _spelled(kind: Any) -> object:
    """A type as JSON has it: ``list[int] | None`` is ``["|", ["list", "int"], "NoneType"]``."""
    inner = [_spelled(part) for part in typing.get_args(kind)]
    if isinstance(kind, types.UnionType):
        return [UNION, *inner]
    name = (typing.get_origin(kind) or kind).__name__
    if name not in PLAIN:
        raise TypeError(f"an option is text, a number, a list, a mapping or None, not {kind}")
    return [name, *inner] if inner else name


def _kind(spelled: Any) -> Any:
    if isinstance(spelled, str):
        return PLAIN[spelled]
    head, *inner = spelled
    parts = tuple(_kind(part) for part in inner)
    return functools.reduce(operator.or_, parts) if head == UNION else PLAIN[head][parts]
