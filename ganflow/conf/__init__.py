"""Hydra's choices: every component registers its typed group option, and :func:`compose` makes a configuration.

DVC imports this package by ``hydra.config_module`` under ``dvc exp run -S``, which registers the choices.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from difflib import get_close_matches
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from ganflow import component, config
from ganflow.conf import store
from ganflow.errors import GanflowError, require
from ganflow.schema import Config

store.register()


def compose(overrides: Sequence[str] = ()) -> Config:
    """Compose and check a configuration from Hydra overrides, as in ``gan/loss=minimax training.batch=128``.

    Raises:
        GanflowError: an override that Hydra refuses, in one line.
        ConfigError: a value that cannot work.
    """
    return config.check(compose_plain(overrides))


def compose_plain(overrides: Sequence[str] = ()) -> dict[str, Any]:
    """As :func:`compose`, before any check: just what DVC would write into ``params.yaml``."""
    with one_line_errors(), initialize_config_module("ganflow.conf", version_base=None):
        return plain(hydra_compose("config", overrides=list(overrides)))


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Make one line of what Hydra says.

    Raises:
        GanflowError: Hydra or OmegaConf refused something.
    """
    try:
        yield
    except (HydraException, OmegaConfBaseException, ValueError) as error:  # ValueError: a group set to a number
        raise GanflowError(_one_line(error)) from None


def plain(composed: DictConfig) -> dict[str, Any]:
    """What Hydra composed, as a mapping with every reference resolved, without Hydra's own node."""
    ours = OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])
    OmegaConf.resolve(ours)
    return _mapping(ours)


def _mapping(node: DictConfig) -> dict[str, Any]:
    container = OmegaConf.to_container(node)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def recipe_of(params: Config) -> Config:
    """The configuration as its recipe gives it, before anyone changed a value."""
    return compose([f"experiment={params.recipe}"])


def override(params: Config, overrides: Sequence[str]) -> Config:
    """Change a configuration that is already composed: ``a.b=value`` sets a value, ``group=choice`` takes a component.

    A component comes with the options that the configuration's recipe has for it, and with where they move to, as in
    :func:`compose`.

    Raises:
        GanflowError: no such key or choice.
        ConfigError: a value that cannot work.
    """
    node = OmegaConf.create(asdict(params))  # untyped: it is the check that says which key has the wrong type
    with one_line_errors():
        for one in OverridesParser.create().parse_overrides(list(overrides)):
            plain_value = not (one.is_delete() or one.is_sweep_override())
            require(plain_value, one.key_or_group, one.input_line, "must be key=value, without ~ or a sweep")
            _override_one(node, one.key_or_group, one.value(), str(one.input_line))
    return config.check(_mapping(node))


def _override_one(node: Any, key: str, value: Any, line: str) -> None:
    several = {slot: spec.several for spec in component.GROUPS.values() for slot in spec.slots}
    path = key.replace("/", ".")
    if key in several:
        kind, what = (list, "a list of names") if several[key] else (str, "a name")
        require(isinstance(value, kind), key, value, f"must be {what}")
        composed = OmegaConf.create(compose_plain([f"experiment={node.recipe}", line]))
        value, moves = OmegaConf.select(composed, path), f"training.schedule.to.{path}"
        ends = OmegaConf.select(composed, moves, default={})
        if ends or OmegaConf.select(node, moves):
            OmegaConf.update(node, moves, ends, merge=False)
    missing = object()
    require(OmegaConf.select(node, path, default=missing) is not missing, key, value, "no such key in params.yaml")
    OmegaConf.update(node, path, value, merge=False)


def dotted(params: Config) -> dict[str, Any]:
    """Every leaf by its dotted key; choices also by their group, as in ``gan/loss`` → ``hinge``, or a list of them."""
    flat: dict[str, Any] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, Mapping) and value:
            for name, child in value.items():
                walk(f"{prefix}.{name}".lstrip("."), child)
        else:
            flat[prefix] = value

    walk("", asdict(params))
    whole = OmegaConf.create(asdict(params))
    for spec in component.GROUPS.values():
        nodes = {slot: OmegaConf.select(whole, slot.replace("/", ".")) for slot in spec.slots}
        flat |= {slot: list(node) if spec.several else node.name for slot, node in nodes.items()}
    return flat


def _one_line(error: Exception) -> str:
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        known = error.options or ConfigStore.instance().list(group)  # Hydra tells none of a list's
        options = [option.removesuffix(".yaml") for option in known]
        return f"{group}={name}: one of {', '.join(options)}{_nearest(name, options)}"
    if isinstance(error.__cause__, ConfigKeyError | ConfigAttributeError) and error.__cause__.parent_node is not None:
        key, has = str(error.__cause__.full_key), [str(name) for name in error.__cause__.parent_node if name != "hydra"]
        where, _, name = key.rpartition(".")
        return f"{key}: no such key; {where or 'params.yaml'} has {', '.join(has) or 'none'}{_nearest(name, has)}"
    cause = f"; {error.__cause__}" if error.__cause__ else ""
    lines = [line.strip() for line in f"{error}{cause}".splitlines()]
    internal = ("full_key:", "object_type=", "reference_type=")
    return " ".join(line for line in lines if line and not line.startswith(internal))


def _nearest(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
