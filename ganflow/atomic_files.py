"""Files that a reader sees old or new, never in part."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from filelock import lock_descriptor

from ganflow.errors import GanflowError

PARTIAL = ".partial"  # how the names of unfinished files end


def write_whole(path: Path, content: str | bytes | IO[bytes]) -> None:
    """Write a file beside its place and move it there once it is complete and on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        with part.open("wb") as file:
            if isinstance(content, str | bytes):
                file.write(content.encode() if isinstance(content, str) else content)
            else:
                shutil.copyfileobj(content, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_out(path: Path, content: str | bytes) -> None:
    """As :func:`write_whole`, to a path that a person gave.

    Raises:
        GanflowError: it cannot be written there.
    """
    try:
        write_whole(path, content)
    except OSError as error:
        reason = "is a folder" if path.is_dir() else f"cannot be written: {error.strerror}"
        raise GanflowError(f"{path} {reason}; name a file in a folder that you may write to") from None


def sync_folder(folder: Path) -> None:
    """Put a folder's entries on disk: a rename is safe only then."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(folder: Path, who: str) -> Iterator[None]:
    """Hold the folder's lock, which ends with the process however it ends.

    Raises:
        GanflowError: another process holds it; ``who`` is what that may be.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        if not lock_descriptor(handle, blocking=False):
            raise GanflowError(f"{folder} belongs to a {who} that is still running; let it end first")
        yield
    finally:
        os.close(handle)


class HashingFile:
    """A file that knows the sha256 of what was written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.sha256 = file, hashlib.sha256()

    def write(self, data: bytes | memoryview) -> int:
        self.sha256.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()
