"""Errors of Hydra and OmegaConf as one line with the way out."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException, ValidationError

from ganflow.config import catalogue, components, keys, spelling
from ganflow.config.similar_names import nearest, plain
from ganflow.errors import GanflowError

OWN = "; own recipes are files recipes/NAME.yaml that git tracks"
INTERNAL = ("full_key:", "object_type=", "reference_type=")


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


def not_a_choice(slot: str, name: str, names: Sequence[str], recipes: dict[str, dict[str, object]]) -> GanflowError:
    """A name that a group of components, or ``experiment``, does not have.

    Args:
        slot: the group.
        name: what was typed.
        known: names that it has.
        recipes: what every recipe chooses, by slot.
    """
    return GanflowError(f"{slot}={name}: one of {', '.join(names)}{_meant(slot, name, names, recipes)}")


def _meant(slot: str, name: str, names: Sequence[str], recipes: dict[str, dict[str, object]]) -> str:
    same = [choice for choice in names if plain(choice) == plain(name)]
    recipe = next((choice for choice in recipes if plain(choice) == plain(name) and slot in recipes[choice]), None)
    if recipe and not same:
        chosen = recipes[recipe][slot]
        its = "[" + ",".join(map(str, chosen)) + "]" if isinstance(chosen, list) else chosen
        return f"; {recipe} is a recipe, experiment={recipe}, and has {slot}={its}"
    near = nearest(name, names)
    places = [other for other in keys.slots().values() if plain(name) in catalogue.entries(keys.group_of(other))]
    suggestions = [f"{path}=[{plain(name)}]" if keys.several(path) else f"{path}={plain(name)}" for path in places]
    meant = f"; did you mean {' or '.join(suggestions)}?" if suggestions else ""
    return near or meant or (OWN if slot == "experiment" else "")


def _one_line(error: Exception) -> str:
    cause = error.__cause__
    if cause is None and isinstance(error.__context__, OmegaConfBaseException):
        cause = error.__context__  # Hydra names no cause where a recipe is merged
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        names = error.options or ConfigStore.instance().list(group)  # Hydra tells none of a list's
        options = [option.removesuffix(".yaml") for option in names]
        return f"{group}={name}: one of {', '.join(options)}{nearest(name, options)}"
    if isinstance(cause, ConfigKeyError | ConfigAttributeError) and cause.parent_node is not None:
        key, has = str(cause.full_key), [str(name) for name in cause.parent_node if name != "hydra"]
        where = key.rpartition(".")[0]
        return f"{key}: no such key; {where or 'params.yaml'} has {', '.join(has) or 'none'}{spelling.hint(key)}"
    typed = re.match(r"Error merging override \+*(\S+)", str(error))
    if isinstance(cause, ValidationError):
        override = str(error).partition("\n")[0].removeprefix("Error merging override ").lstrip("+")
        at = override if typed else f"{cause.full_key}"
        return f"{at}: {components.must_be(cause)}"
    message = f"{error}; {cause}" if cause else str(error)
    lines = [line.strip() for line in message.splitlines()]
    return " ".join(line for line in lines if line and not line.startswith(INTERNAL))
