"""The search space for Ray Tune, from ``tune.space``, and a trial's values as overrides."""

from collections.abc import Mapping
from typing import Any

from ganflow.config.composition import dotted, override, recipe_of
from ganflow.config.schema import Config
from ganflow.config.search_space import Dimension, dimensions
from ganflow.errors import ConfigError, GanflowError

_NONE = object()


def searched(config: Config) -> dict[str, Dimension]:
    """The part of ``tune.space`` that is searched: keys that still have their recipe's value.

    A user who sets ``gan/loss=minimax`` wants minimax, and not what a search finds better. Options of a component that
    was set aside are left out, too.
    """
    now, before = dotted(config), dotted(recipe_of(config))
    space = {dimension.key: dimension for dimension in dimensions(config.tune.space)}
    return {key: spec for key, spec in space.items() if key in now and now[key] == before.get(key, _NONE)}


def check_values(config: Config) -> None:
    """Hold every value that the search may try, the ends of ranges too, against the rest of the configuration.

    Raises:
        ConfigError: the first one that cannot work, by its place in ``tune.space``.
    """
    for dimension in searched(config).values():
        for value in dimension.values:
            try:
                override(config, [f"{dimension.key}={literal(value)}"])
            except GanflowError as error:
                raise ConfigError(dimension.where, dimension.values, f"with {value}: {error}") from None


def domain(dimension: Dimension) -> Any:
    """A dimension as Ray Tune's domain."""
    from ray import tune

    if dimension.kind == "choice":
        return tune.choice([literal(value) for value in dimension.values])  # Tune takes a list for a nested space
    make = {"uniform": tune.uniform, "log_uniform": tune.loguniform, "int": tune.randint}[dimension.kind]
    return make(*dimension.values)


def start(config: Config, space: Mapping[str, Dimension]) -> dict[str, object]:
    """The configuration's own values: the first trial, which every other must beat."""
    now = dotted(config)
    return {key: literal(now[key]) if dimension.kind == "choice" else now[key] for key, dimension in space.items()}


def overrides(values: Mapping[str, object], config: Config) -> list[str]:
    """A trial's values as Hydra overrides, without those that the configuration has already."""
    now = dotted(config)
    groups_first = sorted(values, key=lambda key: "/" not in key)  # a group resets the values below it
    return [f"{key}={literal(values[key])}" for key in groups_first if literal(values[key]) != literal(now[key])]


def literal(value: object) -> str:
    """A value as an override spells it."""
    return "[" + ",".join(map(literal, value)) + "]" if isinstance(value, list | tuple) else str(value)
