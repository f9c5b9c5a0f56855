"""What the search may vary: ``tune.space`` read, and a trial's values as overrides."""

from collections.abc import Mapping
from typing import Any

from ganflow.conf import dotted, recipe_of
from ganflow.errors import require
from ganflow.schema import Config

_NONE = object()
DOMAINS = "{choice: [a, b, …]}, {uniform: [low, high]}, {log_uniform: [low, high]} or {int: [low, high]}"


def searched(config: Config) -> dict[str, Any]:
    """The part of ``tune.space`` that is searched: keys that still have their recipe's value.

    Whoever sets ``gan/loss=minimax`` wants minimax, and not what a search finds better. Options of a component that
    was set aside are left out, too.
    """
    now, before = dotted(config), dotted(recipe_of(config))
    for key in config.tune.space:
        known = key in now or key in before
        require(known, f"tune.space.{key}", config.tune.space[key], "no such key in params.yaml")
    return {key: spec for key, spec in config.tune.space.items() if key in now and now[key] == before.get(key, _NONE)}


def domain(key: str, spec: Any) -> Any:
    """One entry of the space as Ray Tune's domain.

    Raises:
        ConfigError: not one of the forms in :data:`DOMAINS`.
    """
    from ray import tune

    where = f"tune.space.{key}"
    require(isinstance(spec, Mapping) and len(spec) == 1, where, spec, f"must be {DOMAINS}")
    ((kind, values),) = spec.items()
    require(kind in ("choice", "uniform", "log_uniform", "int"), where, spec, f"must be {DOMAINS}")
    require(isinstance(values, list) and len(values) > 0, where, spec, f"must be {DOMAINS}")
    if kind == "choice":
        return tune.choice([literal(value) for value in values])  # Tune takes a list for a nested space
    numbers = len(values) == 2 and all(isinstance(v, int | float) for v in values) and values[0] < values[1]
    require(numbers, where, spec, "needs two numbers, the lower one first")
    require(kind != "log_uniform" or values[0] > 0, where, spec, "needs a lower end of more than 0")
    make = {"uniform": tune.uniform, "log_uniform": tune.loguniform, "int": tune.randint}[kind]
    return make(*values)


def start(config: Config, space: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration's own values: the first trial, which every other must beat."""
    now = dotted(config)
    return {key: literal(now[key]) if "choice" in spec else now[key] for key, spec in space.items()}


def overrides(values: Mapping[str, Any], config: Config) -> list[str]:
    """A trial's values as Hydra overrides, without those that the configuration has already."""
    now = dotted(config)
    groups_first = sorted(values, key=lambda key: "/" not in key)  # a group resets the values below it
    return [f"{key}={literal(values[key])}" for key in groups_first if literal(values[key]) != literal(now[key])]


def literal(value: Any) -> str:
    """A value as an override spells it."""
    return "[" + ",".join(map(literal, value)) + "]" if isinstance(value, list | tuple) else str(value)
