"""Hydra's choices: every component registers its typed group option, and :func:`compose` makes a configuration.

DVC imports this package by ``hydra.config_module`` under ``dvc exp run -S``, which registers the choices.
"""

from collections.abc import Sequence
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ganflow import component, config
from ganflow.errors import GanflowError


def register() -> None:
    """Put the schema and every component into Hydra's store; a slot for several takes them keyed by name."""
    store = ConfigStore.instance()
    store.store(name="schema", node=config.Config)
    for group, spec in component.GROUPS.items():
        for name in component.choices(group):
            for slot in spec.slots:
                package = slot.replace("/", ".") + (f".{name}" if spec.several else "")
                store.store(group=slot, name=name, node=component.schema(group, name), package=package)


register()


def compose(overrides: Sequence[str] = ()) -> config.Config:
    """Compose and check a configuration from Hydra overrides, as in ``gan/loss=minimax training.batch=128``.

    Raises:
        GanflowError: an override that Hydra refuses, in one line.
        ConfigError: a value that cannot work.
    """
    return config.check(compose_plain(overrides))


def compose_plain(overrides: Sequence[str] = ()) -> dict[str, Any]:
    """As :func:`compose`, before any check: just what DVC would write into ``params.yaml``."""
    try:
        with initialize_config_module("ganflow.conf", version_base=None):
            composed = hydra_compose("config", overrides=list(overrides))
        OmegaConf.resolve(composed)
    except (HydraException, OmegaConfBaseException) as error:
        raise GanflowError(_one_line(error)) from None
    plain = OmegaConf.to_container(composed)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _one_line(error: Exception) -> str:
    cause = f"; {error.__cause__}" if error.__cause__ else ""
    lines = [line.strip() for line in f"{error}{cause}".splitlines()]
    return " ".join(line for line in lines if line and not line.startswith(("full_key:", "object_type=", "reference_type=")))
