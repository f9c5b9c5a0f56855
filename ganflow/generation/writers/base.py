"""The interface of a writer, and the choice of one by the name of its output."""

import dataclasses
import functools
import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import TypeVar

from ganflow.errors import require
from ganflow.generation.sampling import Sampling
from ganflow.generation.writers.target import Place

FOLDER = "/"  # the suffix of a folder
S = TypeVar("S", bound="Sink")


class Sink(ABC):
    """One form of output. A subclass is a dataclass; its fields are the options that this form has."""

    @abstractmethod
    def write(self, sampling: Sampling, place: Place) -> None:
        """Draw the samples and write them, each file whole or not at all.

        Raises:
            GanflowError: samples that have no such form, or a place that does not take them.
        """


_registry: dict[str, type[Sink]] = {}
_said: dict[str, str] = {}


def sink(*suffixes: str, says: str) -> Callable[[type[S]], type[S]]:
    """Make a class the form of names with these endings; ``says`` is what it makes of them, for people."""

    def register(cls: type[S]) -> type[S]:
        _registry.update(dict.fromkeys(suffixes, cls))
        _said[" ".join(suffixes)] = says
        return cls

    return register


def choose(out: str, options: Mapping[str, object]) -> Sink:
    """The form of output that a name asks for.

    Args:
        out: a path or ``s3://bucket/key``; a folder ends in ``/`` or is there already.
        options: those that were given, whichever form they are of.

    Raises:
        ConfigError: no such form, or an option that it does not have or cannot have so.
    """
    _discover()
    folder = out.endswith(FOLDER) or (out and Path(out).is_dir())
    suffix = FOLDER if folder else PurePosixPath(out).suffix
    forms = ", ".join(f"{names} ({says})" for names, says in sorted(_said.items()))
    require(suffix in _registry, "out", out, f"a name that ends in {forms}")
    cls = _registry[suffix]
    for name, value in options.items():
        others = ", ".join(sorted(suffix for suffix, other in _registry.items() if name in _options(other)))
        require(name in _options(cls), name, value, f"{out} has no such option; what ends in {others} has")
    return cls(**options)


def _options(cls: type[Sink]) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]


@functools.cache
def _discover() -> None:
    package = importlib.import_module("ganflow.generation.writers")
    for info in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{info.name}")
