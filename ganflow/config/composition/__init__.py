"""Hydra's choices: every component registers its typed group option, and :func:`compose` makes a configuration.

DVC imports this package by ``hydra.config_module`` under ``dvc exp run -S``, which registers the choices.
"""

import copy
import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict

from hydra import compose as hydra_compose
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from ganflow.config import components, keys, params_file, spelling
from ganflow.config.composition import hydra_store
from ganflow.config.composition.hydra_errors import not_a_choice, one_line_errors
from ganflow.config.composition.overrides import EXPERIMENT, prepared
from ganflow.config.recipes import built_in, own_recipes
from ganflow.config.schema import Config
from ganflow.config.yaml_file import Node
from ganflow.errors import GanflowError, require

hydra_store.register()


def compose(overrides: Sequence[str] = ()) -> Config:
    """Compose and check a configuration from Hydra overrides, as in ``gan/loss=minimax training.batch=128``.

    Raises:
        GanflowError: an override that Hydra refuses, in one line.
        ConfigError: a value that cannot work.
    """
    ready = ready_for_hydra(overrides)
    with naming_the_recipe(ready):
        return params_file.check(_compose(ready))


def compose_plain(overrides: Sequence[str] = ()) -> Node:
    """As :func:`compose`, before any check: just what DVC would write into ``params.yaml``."""
    ready = ready_for_hydra(overrides)
    with naming_the_recipe(ready):
        return _compose(ready)


def ready_for_hydra(overrides: Sequence[str]) -> list[str]:
    """Overrides as Hydra parses them, with a recipe of the project's own, if they take one, in Hydra's store.

    Raises:
        GanflowError: an override that cannot be meant, or a recipe that cannot be used.
    """
    parsed = prepared(overrides, _check_choice)
    own_one = _own_recipe(parsed)
    if own_one is not None:
        hydra_store.add_recipe(own_one, own_recipes.body(own_one))
    return [str(change.input_line) for change in parsed]


@contextmanager
def naming_the_recipe(ready: Sequence[str]) -> Iterator[None]:
    """In the block, an error that a recipe of the project's own causes by itself begins with its file."""
    try:
        yield
    except GanflowError as error:
        name = _own_recipe(prepared(ready, _check_choice))
        if name is None or not _fails_alone(name, str(error)):
            raise
        raise GanflowError(f"{own_recipes.path_of(name)}: {error}") from None


def _fails_alone(recipe: str, line: str) -> bool:
    try:
        params_file.check(_compose([f"{EXPERIMENT}={recipe}"]))
    except GanflowError as error:
        return str(error) == line
    return False


def _own_recipe(parsed: Sequence[Override]) -> str | None:
    chosen = [str(change.value()) for change in parsed if change.key_or_group == EXPERIMENT and not change.is_delete()]
    return chosen[-1] if chosen and chosen[-1] in own_recipes.names() else None


def _check_choice(slot: str, name: str) -> None:
    is_recipe = slot == EXPERIMENT
    names = list(dict.fromkeys([*built_in.names(), *own_recipes.names()])) if is_recipe else keys.choices(slot)
    if name not in names:
        raise not_a_choice(slot, name, names, hydra_store.chosen_by_recipes())


def _compose(ready: Sequence[str]) -> Node:
    begun = GlobalHydra.instance().is_initialized()  # by DVC, with the same module
    with (
        one_line_errors(),
        nullcontext() if begun else initialize_config_module("ganflow.config.composition", version_base=None),
    ):
        return plain(hydra_compose("config", overrides=list(ready)))


def plain(composed: DictConfig) -> Node:
    """Hydra's composition as a mapping, with every reference resolved, without Hydra's own node."""
    ours = OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])
    OmegaConf.resolve(ours)
    return _mapping(ours)


def _mapping(node: DictConfig) -> Node:
    container = OmegaConf.to_container(node)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def recipe_of(params: Config) -> Config:
    """The configuration as its recipe gives it, before anyone changed a value."""
    changeable = params.recipe in own_recipes.names()  # while this process runs
    return compose([f"experiment={params.recipe}"]) if changeable else copy.deepcopy(_built_in(params.recipe))


@functools.cache
def _built_in(recipe: str) -> Config:
    return compose([f"experiment={recipe}"])


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
        for change in prepared(overrides, _check_choice):
            require(not change.is_delete(), change.key_or_group, change.input_line, "must be key=value, without ~")
            _override_one(node, change.key_or_group, change.value(), str(change.input_line))
    return params_file.check(_mapping(node))


def _override_one(node: DictConfig, key: str, value: object, line: str) -> None:
    whole = f"takes a whole configuration; `ganflow config compose {line}` writes one"
    require(key != EXPERIMENT, key, value, whole)
    slots, path = keys.slots().values(), key.replace("/", ".")
    if key in slots:
        kind, what = (list, "a list of names") if keys.several(key) else (str, "a name")
        require(isinstance(value, kind), key, value, f"must be {what}")
        composed = OmegaConf.create(compose_plain([f"{EXPERIMENT}={node.recipe}", line]))
        value, moves = OmegaConf.select(composed, path), f"training.schedule.to.{path}"
        ends = OmegaConf.select(composed, moves, default={})
        if ends or OmegaConf.select(node, moves):
            OmegaConf.update(node, moves, ends, merge=False)
    missing = object()
    exists = keys.is_open(path) or OmegaConf.select(node, path, default=missing) is not missing
    require(exists, key, value, f"no such key in params.yaml{spelling.hint(key)}")
    OmegaConf.update(node, path, value, merge=False)


def dotted(params: Config) -> Node:
    """Every leaf by its dotted key; choices also by their group, as in ``gan/loss`` → ``hinge``, or a list of them."""
    flat: Node = {}

    def walk(prefix: str, value: object) -> None:
        if isinstance(value, Mapping) and value:
            for name, child in value.items():
                walk(f"{prefix}.{name}".lstrip("."), child)
        else:
            flat[prefix] = value

    walk("", asdict(params))
    whole = OmegaConf.create(asdict(params))
    for spec in components.GROUPS.values():
        nodes = {slot: OmegaConf.select(whole, slot.replace("/", ".")) for slot in spec.slots}
        flat |= {slot: list(node) if spec.several else node.name for slot, node in nodes.items()}
    return flat
