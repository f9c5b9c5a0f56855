"""One clear line for a wrong ``dvc exp run -S``, before anything is written or run.

DVC loads this file (``hydra.plugins_path`` in ``.dvc/config``) before Hydra composes ``params.yaml``, and shows
Hydra's own errors, many lines long, as unexpected ones. Neither has a hook for that, so in DVC's process the
composition is wrapped here: overrides are read as ``ganflow config compose`` reads them, and what they give must pass
the check that every stage makes.
"""

import functools
import inspect
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from dvc.exceptions import InvalidArgumentError
from hydra._internal.hydra import Hydra
from omegaconf import open_dict

from ganflow.config import composition, params_file
from ganflow.errors import GanflowError

_compose_config = inspect.unwrap(Hydra.compose_config)  # DVC loads this anew for each composition


@functools.wraps(_compose_config)
def compose_config(hydra: Hydra, config_name: str | None, overrides: Sequence[str], *args: Any, **options: Any) -> Any:
    """As Hydra does it; what cannot work is an error of DVC's own kind."""
    Hydra.compose_config = _compose_config  # what is composed below, to find out where an error lies, is as it is
    try:
        ready = composition.ready_for_hydra(overrides)
        with composition.naming_the_recipe(ready), composition.one_line_errors():
            composed = _compose_config(hydra, config_name, ready, *args, **options)
            checked = params_file.check(composition.plain(composed))
    except GanflowError as error:
        raise InvalidArgumentError(str(error)) from None
    finally:
        Hydra.compose_config = compose_config
    with open_dict(composed):
        composed.tune.space = asdict(checked)["tune"]["space"]  # without what null took out
    return composed


Hydra.compose_config = compose_config
