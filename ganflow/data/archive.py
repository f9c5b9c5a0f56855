"""A folder, a zip or a tar as one thing: named files that any process can read by a small locator.

Nothing is ever unpacked under the names that an archive gives: a compressed tar is unpacked to one plain tar, whose
members are then read by offset. So no member can escape from the folder it belongs to.
"""

import bz2
import functools
import gzip
import lzma
import os
import posixpath
import shutil
import socket
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganflow.errors import GanflowError

PACKED: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\x00": lzma.open, b"BZh": bz2.open}


@dataclass(frozen=True)
class File:
    """One file of an archive."""

    name: str  # normal: no ".", no "..", but for a name that leads out of the archive
    where: Any  # what the archive's ``read`` takes


@dataclass(frozen=True)
class Folder:
    """Files below a folder; links to folders are followed once."""

    root: Path

    def files(self) -> list[File]:
        """Every file, by name."""
        names, seen = [], set()
        for folder, folders, files in os.walk(self.root, followlinks=True):
            real = os.path.realpath(folder)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            inner = os.path.relpath(folder, self.root)
            names += [os.path.normpath(os.path.join(inner, file)) for file in files]
        return [File(name, name) for name in sorted(names)]

    def read(self, where: Any) -> bytes:
        """The bytes of one file."""
        return Path(self.root, where).read_bytes()


@dataclass(frozen=True)
class Zip:
    """Members of a zip, each read and inflated where it is needed."""

    root: Path

    def files(self) -> list[File]:
        """Every member by name; where a name comes twice, the later one."""
        names = {_clean(info.filename): info.filename for info in _open_zip(self.root).infolist() if not info.is_dir()}
        return [File(name, where) for name, where in sorted(names.items())]

    def read(self, where: Any) -> bytes:
        """The bytes of one member."""
        return _open_zip(self.root).read(where)


@dataclass(frozen=True)
class Tar:
    """Members of a tar that is not compressed, read by offset and size."""

    root: Path

    def files(self) -> list[File]:
        """Every regular member by name; where a name comes twice, the later one."""
        with tarfile.open(self.root, "r:") as tar:
            found = {_clean(m.name): (m.offset_data, m.size) for m in tar if m.isreg() and not m.issparse()}
            end = tar.offset
        # tarfile takes a cut between two members for the end of the archive.
        if self.read((end, tarfile.BLOCKSIZE)) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it ends without an end-of-archive block")
        return [File(name, where) for name, where in sorted(found.items())]

    def read(self, where: Any) -> bytes:
        """The bytes of one member."""
        offset, size = where
        with self.root.open("rb") as file:
            file.seek(offset)
            return file.read(size)


Archive = Folder | Zip | Tar


def open_archive(path: Path, scratch: Path) -> Archive:
    """Recognise an archive by what it holds, not by its name.

    Args:
        path: a folder, a zip, or a tar (plain, gzip, bzip2 or xz).
        scratch: where a compressed tar is unpacked to a plain one.

    Raises:
        GanflowError: it does not exist, is none of these, or is damaged.
    """
    if path.is_dir():
        return Folder(path)
    if not path.exists():
        raise GanflowError(f"{path} does not exist")
    try:
        if zipfile.is_zipfile(path):
            return Zip(path)
        with path.open("rb") as file:
            start = file.read(6)
        unpack = next((opener for magic, opener in PACKED.items() if start.startswith(magic)), None)
        plain = _unpack(unpack, path, scratch / "archive.tar") if unpack else path
        if tarfile.is_tarfile(plain):
            return Tar(plain)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise GanflowError(f"{path} is damaged: {error}") from None
    raise GanflowError(f"{path} is no folder, zip or tar (plain, .gz, .bz2, .xz)")


def list_files(archive: Archive, path: Path) -> list[File]:
    """The archive's files; ``path`` is its name in the error.

    Raises:
        GanflowError: the archive is damaged or truncated.
    """
    try:
        return archive.files()
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError) as error:
        raise GanflowError(f"{path} is damaged: {error}") from None


def check_here(archive: Archive) -> None:
    """Refuse to read on a machine that does not see the archive, instead of calling every image unreadable.

    Raises:
        GanflowError: its path does not exist here.
    """
    if not archive.root.exists():
        where = f"{archive.root} does not exist on {socket.gethostname()}"
        raise GanflowError(f"{where}: a cluster of several machines needs data.path and the project on shared storage")


def _unpack(opener: Any, packed: Path, target: Path) -> Path:
    with opener(packed) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, 2**20)
    return target


def _open_zip(path: Path) -> zipfile.ZipFile:
    status = path.stat()
    return _cached_zip(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=1)  # reading the directory of a zip with 60,000 members takes about half a second
def _cached_zip(path: Path, mtime_ns: int, size: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def _clean(name: str) -> str:
    return posixpath.normpath(name.replace("\\", "/"))
