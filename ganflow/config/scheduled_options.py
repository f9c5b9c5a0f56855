"""The options that ``training.schedule.to`` moves in the course of a run, read from a configuration."""

from dataclasses import asdict
from typing import Any

from ganflow.config import catalogue
from ganflow.config.schema import Config


def schedulable(config: Config) -> list[str]:
    """The options that may change in a run, keys of ``params.yaml``, or above them, as the method declares."""
    method = catalogue.entries("method")[config.method].declares
    return [*method["schedulable"], *method["optimizers"].values(), "training.ema_kimg"]


def moving(config: Config) -> dict[str, object]:
    """The options that ``training.schedule.to`` moves, by dotted keys of ``params.yaml``; null switches one off."""
    options: dict[str, object] = {}

    def walk(prefix: str, node: object) -> None:
        if isinstance(node, dict):
            for name, child in node.items():
                walk(f"{prefix}.{name}".lstrip("."), child)
        elif node is not None:
            options[prefix] = node

    walk("", config.training.schedule.to)
    return options


def value_at(config: Config, key: str) -> Any:
    """The value at a dotted key; None where there is no such key."""
    parent, _, option = key.rpartition(".")
    node = below(asdict(config), parent)
    return node.get(option) if isinstance(node, dict) else None


def below(node: object, key: str) -> Any:
    """The value at a dotted key of plain mappings; None where there is no such key."""
    for name in key.split("."):
        node = node.get(name) if isinstance(node, dict) else None
    return node
