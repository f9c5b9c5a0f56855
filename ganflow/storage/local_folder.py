"""Storage in a folder, of this machine or shared by all nodes."""

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from ganflow.atomic_files import PARTIAL, sync_folder, write_whole
from ganflow.storage.base import MissingError, Storage, StorageError

FOR_GOOD = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG)


class LocalFolder(Storage):
    """Files written beside their place, put on disk and renamed."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.uri = str(self.root)

    def write(self, name: str, content: bytes) -> None:
        path = self.root / name
        with _explained("cannot write", path):
            write_whole(path, content)
            sync_folder(path.parent)

    def read(self, name: str) -> bytes:
        path = self.root / name
        with _explained("cannot read", path):
            return path.read_bytes()

    def names(self, prefix: str = "") -> list[str]:
        with _explained("cannot read", self.root):
            files = (p.relative_to(self.root).as_posix() for p in self.root.rglob("*") if p.is_file())
            return sorted(name for name in files if name.startswith(prefix) and not name.endswith(PARTIAL))

    def remove(self, name: str) -> None:
        path = self.root / name
        with _explained("cannot remove", path):
            path.unlink(missing_ok=True)

    def upload(self, path: Path, name: str) -> None:
        self._copy(path, self.root / name)

    def download(self, name: str, path: Path) -> None:
        self._copy(self.root / name, path)

    def _copy(self, source: Path, target: Path) -> None:
        with _explained("cannot write", target, source), source.open("rb") as content:
            write_whole(target, content)

    def move(self, to: Storage) -> None:
        assert isinstance(to, LocalFolder)
        with _explained("cannot move", self.root):
            shutil.rmtree(to.root, ignore_errors=True)
            to.root.parent.mkdir(parents=True, exist_ok=True)
            self.root.rename(to.root)
            sync_folder(to.root.parent)

    def tidy(self) -> None:
        with _explained("cannot remove", self.root):
            for path in self.root.rglob(f".*{PARTIAL}"):
                path.unlink(missing_ok=True)

    def below(self, name: str) -> "LocalFolder":
        return LocalFolder(self.root / name)


@contextlib.contextmanager
def _explained(what: str, path: Path, source: Path | None = None) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise MissingError(f"{error.filename or source or path} is not there") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(f"{what} {path}: {reason}", passing=error.errno not in FOR_GOOD) from None
