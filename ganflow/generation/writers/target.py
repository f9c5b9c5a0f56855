"""The place that ``--out`` names: a file or a folder of this machine or on S3."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ganflow.atomic_files import locked, sync_folder
from ganflow.errors import GanflowError, require
from ganflow.storage import SCHEME, Storage, open_storage
from ganflow.storage.retries import Patient


@dataclass(frozen=True)
class Place:
    """``out`` as the user wrote it, the storage that it lies in, and its name there; empty of a folder."""

    out: str
    storage: Storage
    name: str
    local: bool

    @classmethod
    def of(cls, out: str, patience_s: float) -> "Place":
        """Nothing is made or asked for yet. On S3, many objects may come at once, and an outage is waited for."""
        if "://" not in out:
            path = Path(out).expanduser()
            folder = out.endswith("/") or path.is_dir()
            return cls(out, open_storage(path if folder else path.parent), "" if folder else path.name, local=True)
        above, _, name = out.rpartition("/")
        require(above.rpartition("/")[0] != SCHEME[:-2], "out", out, f"{SCHEME}bucket/{name} names a file")
        return cls(
            out, Patient(open_storage(above, many=True), patience_s, "--patience", "generate"), name, local=False
        )

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes of this machine out of the folder, which is made."""
        if self.local:
            with made(Path(self.storage.uri)):
                yield
        else:
            yield

    @property
    def scratch(self) -> Path:
        """The path at which the file grows: beside its target, or in the working directory if that is on S3."""
        return (Path(self.storage.uri) if self.local else Path.cwd()) / f".{self.name}.partial"

    def publish(self, path: Path) -> None:
        """Make a complete file of this machine the one at this place."""
        if not self.local:
            return self.storage.upload(path, self.name)
        target = Path(self.storage.uri) / self.name
        try:
            os.replace(path, target)
            sync_folder(target.parent)
        except OSError as error:
            raise GanflowError(f"cannot write {target}: {error.strerror or error}") from None


@contextlib.contextmanager
def made(folder: Path) -> Iterator[None]:
    """A folder that no other process works in.

    Raises:
        GanflowError: one does, or the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GanflowError(f"cannot write {folder}: {error.strerror or error}") from None
    with locked(folder, "generate"):
        yield
