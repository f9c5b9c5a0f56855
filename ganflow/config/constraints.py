"""Constraints on single values, which stand beside the fields of a schema: in their metadata."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

from ganflow.errors import require

T = TypeVar("T")


@dataclass(frozen=True)
class Constraint:
    """A condition on a value, and the end of the sentence that refuses another one."""

    holds: Callable[[Any], object]
    allowed: str
    each: bool = False  # of the values of a list


def check(config: Any, prefix: str = "") -> None:
    """Hold every value of a dataclass, and of those in it, against its field's constraint.

    Raises:
        ConfigError: the first misfit.
    """
    for option in fields(config):
        key, value = f"{prefix}{option.name}", getattr(config, option.name)
        if is_dataclass(value):
            check(value, f"{key}.")
        if constraint := option.metadata.get(Constraint):
            for part in value if constraint.each else [value]:
                require(bool(constraint.holds(part)), key, part, constraint.allowed)


def limited(default: T, holds: Callable[[Any], object], allowed: str) -> T:
    """A field whose value satisfies ``holds``."""
    return field(default=default, metadata={Constraint: Constraint(holds, allowed)})


def positive(default: T, allowed: str = "must be more than 0") -> T:
    """A field that is more than 0, or null where its type has that."""
    return limited(default, lambda value: value is None or value > 0, allowed)


def from_zero(default: T, zero: str = "") -> T:
    """A field that is 0, with the meaning ``zero``, or more."""
    return limited(default, lambda value: value >= 0, f"0 ({zero}) or more" if zero else "0 or more")


def one_of(*choices: object, default: T) -> T:
    """A field with one of these values. True is not 1 here."""
    names = ", ".join(str(choice).lower() for choice in choices)
    return limited(default, lambda value: (type(value), value) in [(type(c), c) for c in choices], f"one of {names}")


def any_of(*choices: str) -> list[str]:
    """A field with any number of these values, by default all."""
    constraint = Constraint(choices.__contains__, f"any of {', '.join(choices)}, or []", each=True)
    return field(default_factory=lambda: list(choices), metadata={Constraint: constraint})
