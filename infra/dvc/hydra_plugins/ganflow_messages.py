"""One clear line for a wrong ``dvc exp run -S``, before anything is written or run.

DVC loads this file (``hydra.plugins_path`` in ``.dvc/config``) before Hydra composes ``params.yaml``, and shows
Hydra's own errors, many lines long, as unexpected ones. Neither has a hook for that, so in DVC's process the
composition is wrapped here: what it gives must pass the check that every stage makes.
"""

from typing import Any

from dvc.exceptions import InvalidArgumentError
from hydra._internal.hydra import Hydra

from ganflow import conf, config
from ganflow.errors import GanflowError

_compose_config = Hydra.compose_config


def compose_config(hydra: Hydra, *args: Any, **options: Any) -> Any:
    """As Hydra does it; what cannot work is an error of DVC's own kind."""
    try:
        with conf.one_line_errors():
            composed = _compose_config(hydra, *args, **options)
        config.check(conf.plain(composed))
    except GanflowError as error:
        raise InvalidArgumentError(str(error)) from None
    return composed


Hydra.compose_config = compose_config
