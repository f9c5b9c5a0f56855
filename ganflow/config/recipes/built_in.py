"""The built-in recipes: one YAML file each."""

import functools
from itertools import takewhile
from pathlib import Path

import yaml

from ganflow.config.yaml_file import Node

FOLDER = Path(__file__).parent

_SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in Python takes ten times as long


def names() -> list[str]:
    """The names that ``experiment=`` takes."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def body(name: str) -> Node:
    """A recipe as it stands in its file; only to be read."""
    return read(FOLDER / f"{name}.yaml")


def about(name: str) -> str:
    """A recipe's comment, which names its paper."""
    return comment((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))


def comment(text: str) -> str:
    """The comment at a file's beginning, as one line."""
    lines = text.splitlines()
    return " ".join(line.removeprefix("# ") for line in takewhile(lambda line: line.startswith("#"), lines))


@functools.cache
def read(file: Path) -> Node:
    """A YAML file of ganflow's own; only to be read."""
    return dict(_SafeLoader(file.read_text(encoding="utf-8")).get_single_data())
