"""A stamp of what lies at a path: another one if a file came, went or was written.

It is made of names, sizes and times of change (locally) or of names, sizes and ETags (S3), so nothing is read.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ganflow import records
from ganflow.storage.base import StorageError
from ganflow.storage.locate import localize
from ganflow.storage.s3 import SCHEME, Bucket
from ganflow.terminal.redaction import redact

STAMP = Path("infra/dvc/source/path.json")  # the out of the stage source@path

Entry = tuple[str, int, str]  # a file's name, its size, and what changes with its content


def refresh_stamp(uri: str, file: Path) -> str:
    """Write the stamp of a path to ``file``.

    A source that is not at hand, on a machine that has only what was prepared from it, leaves the stamp that is there.

    Returns:
        A line about that, or nothing.
    """
    try:
        entries, why = _entries(uri), f"{uri} is not here"
    except StorageError as error:
        entries, why = [], str(error)
    if entries:
        size = sum(entry[1] for entry in entries)
        records.write(file, {"path": uri, "files": len(entries), "bytes": size, "sha256": _digest(entries)})
        return ""
    earlier: dict[str, object] = records.noted(file, dict) or {}
    if earlier.get("path") == uri:
        return redact(f"{why}; what was prepared from it is taken as up to date")
    records.write(file, {"path": uri, "files": 0})
    return ""


def _entries(uri: str) -> list[Entry]:
    if uri.startswith(SCHEME):
        return Bucket(uri).held()
    root = localize(uri, Path())
    if root.is_dir():
        return sorted(_below(root))
    return [_entry(root.name, root.stat())] if root.exists() else []


def _below(root: Path) -> Iterator[Entry]:
    """Every file that is not hidden; links to folders are followed once, and links that lead nowhere are files."""
    visited = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = _shown(folders)
        for name in _shown(files):
            path = os.path.join(folder, name)
            yield _entry(os.path.relpath(path, root), os.stat(path) if os.path.exists(path) else os.lstat(path))


def _shown(names: Iterable[str]) -> list[str]:
    return [name for name in names if not name.startswith(".")]


def _entry(name: str, status: os.stat_result) -> Entry:
    return name, status.st_size, str(status.st_mtime_ns)


def _digest(entries: list[Entry]) -> str:
    hashing = hashlib.sha256()
    for entry in entries:
        hashing.update("\0".join(map(str, entry)).encode("utf-8", "surrogateescape") + b"\n")
    return hashing.hexdigest()
