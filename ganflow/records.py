"""Small records as JSON files, old or new and never in part: a dataclass, or a mapping of plain values."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from ganflow.atomic_files import write_whole
from ganflow.errors import GanflowError

T = TypeVar("T")


def text(record: Any) -> str:
    """The content of a record's file; what it holds may be dataclasses too."""
    return json.dumps(record, indent=2, default=asdict) + "\n"


def write(path: Path, record: Any) -> None:
    """Write a record's file."""
    write_whole(path, text(record))


def read(path: Path, kind: Callable[..., T], hint: str) -> T:
    """The record of a file, as a dataclass or a ``dict``.

    Raises:
        GanflowError: the file is missing, or is not such a record; ``hint`` is what writes it.
    """
    try:
        return kind(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        raise GanflowError(f"{path} is missing; {hint}") from None
    except (ValueError, TypeError) as error:
        raise GanflowError(f"{path} is not a valid record: {error}; when it is removed, {hint}") from None


def noted(path: Path, kind: Callable[..., T]) -> T | None:
    """The record of a file that may be missing or damaged: None then."""
    try:
        return read(path, kind, "")
    except (OSError, GanflowError):
        return None
