"""A YAML file that a person wrote, read as a mapping; whatever is wrong with it is one line with its place."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from ganflow.errors import GanflowError

Node = dict[str, Any]  # a mapping in params.yaml or in a recipe; its values have any type until the schema checks them

BOMS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def read_mapping(path: Path, hint: str) -> Node:
    """A YAML mapping; ``hint`` is what to do where the file is missing or empty.

    Raises:
        GanflowError: no such file, one that cannot be read, is not UTF-8 or not a valid YAML mapping.
    """
    text = read_text(path, hint)
    try:
        node = _Strict(text).get_single_data()
    except yaml.MarkedYAMLError as error:
        raise GanflowError(f"{_place(path, error.problem_mark)}: {_problem(error)}") from None
    except yaml.YAMLError as error:  # a character that YAML does not have
        raise GanflowError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from None
    except (ValueError, RecursionError) as error:  # a date such as 2024-13-45
        raise GanflowError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from None
    if node is None:
        raise GanflowError(f"{path} is empty; {hint}")
    if not isinstance(node, dict):
        raise GanflowError(f"{path}: holds {_kind(node)}, and must be a mapping: a line `key: value` each")
    return node


def read_text(path: Path, hint: str) -> str:
    """A text file in UTF-8, with or without a byte order mark.

    Raises:
        GanflowError: no such file, or one that cannot be read or is not UTF-8.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise GanflowError(f"{path} is missing; {hint}") from None
    except IsADirectoryError:
        raise GanflowError(f"{path} is a folder, and must be a file; move it away, and {hint}") from None
    except OSError as error:
        raise GanflowError(f"{path} cannot be read: {error.strerror}; see `ls -l {path}`") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        encoding = BOMS.get(content[:2]) or f"not UTF-8: byte 0x{content[error.start]:02x} in line {line}"
        raise GanflowError(f"{path} is {encoding}; save it as UTF-8") from None


def key_lines(path: Path) -> dict[str, int]:
    """The line of every dotted key in a YAML file that :func:`read_mapping` took."""
    lines: dict[str, int] = {}

    def walk(node: yaml.Node | None, prefix: str) -> None:
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            lines[f"{prefix}{key.value}"] = key.start_mark.line + 1
            walk(value, f"{prefix}{key.value}.")

    walk(yaml.compose(path.read_text(encoding="utf-8-sig")), "")
    return lines


class _Strict(yaml.SafeLoader):
    """As YAML is read, but for a key that stands twice: the standard forbids it, and one of the two would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        first: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode) and first.setdefault(f"{key.tag} {key.value}", line) != line:
                problem = f"{key.value} stands twice, in line {first[f'{key.tag} {key.value}']} too; keep one"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
        return super().construct_mapping(node, deep)


def _place(path: Path, mark: yaml.Mark | None) -> str:
    return f"{path}:{mark.line + 1}" if mark is not None else str(path)


def _problem(error: yaml.MarkedYAMLError) -> str:
    problem = " ".join(str(error.problem).split())
    if re.search(r"'\\t'", problem):
        return "a tab stands where YAML takes spaces only; put spaces in its place"
    if "stands twice" in problem:
        return problem
    return f"is not valid YAML: {' '.join(filter(None, [error.context, problem]))}"


def _kind(node: object) -> str:
    if isinstance(node, list):
        return "a list"
    return "text" if isinstance(node, str) else "a single value"
