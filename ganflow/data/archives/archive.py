"""A folder, a zip or a tar as one thing: named files that any process can read by a small locator.

Nothing is ever unpacked under the names that an archive gives: members are read by offset or from the zip. So none can
escape from the folder it belongs to.
"""

import contextlib
import functools
import gc
import os
import posixpath
import socket
import stat
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ganflow.data.archives.filenames import decode_names, decode_paths
from ganflow.data.archives.links import Tree, from_root
from ganflow.data.archives.tar_headers import QuickTarInfo
from ganflow.data.archives.zip_members import UTF8_NAME, ZipMember
from ganflow.errors import GanflowError


class File(NamedTuple):
    """One file of an archive."""

    name: str  # normal: no ".", no "..", but for a name that leads out of the archive
    where: Any  # what the archive's ``read`` takes
    broken: str = ""  # why it cannot be read, such as a link that leads nowhere


@dataclass(frozen=True)
class Listing:
    """The contents of an archive."""

    files: list[File]  # by name
    warnings: list[str] = field(default_factory=list)  # what had to be assumed about names


class Archive(Protocol):
    """A folder or archive that holds files; picklable."""

    @property
    def root(self) -> Path:
        """The path."""

    def listing(self) -> Listing:
        """Every file, by name."""

    def read(self, where: Any) -> bytes:
        """The bytes of the file at ``where``."""


@dataclass(frozen=True)
class FolderArchive:
    """Files below a folder; links are followed."""

    root: Path
    encoding: str = ""  # of names that are not UTF-8

    def listing(self) -> Listing:
        """Every file, by name."""
        files = sorted(self.walk(), key=lambda file: file.name)
        names, warnings = decode_paths([file.name for file in files], self.encoding)
        named = zip(files, names, strict=True)
        return Listing([file._replace(name=name) for file, name in named], warnings)

    def walk(self) -> Iterator[File]:
        """Every file in any order; a link to a folder that leads to itself adds nothing."""
        todo = [("", frozenset({_identity(self.root.stat())}))]
        while todo:
            inner, above = todo.pop()
            with os.scandir(self.root / inner) as entries:
                for entry in entries:
                    name = inner + entry.name
                    if not entry.is_dir():
                        fine = entry.is_file() or entry.is_symlink()  # of a link to nowhere, reading says so
                        yield File(name, name, "" if fine else "not a regular file")
                    elif (key := _identity(entry.stat())) not in above:
                        todo.append((f"{name}/", above | {key}))

    def read(self, where: Any) -> bytes:
        """The bytes of one file."""
        with open(os.path.join(self.root, where), "rb", buffering=0) as file:
            return file.read()


@dataclass(frozen=True)
class Zip:
    """Members of a zip, each read and inflated where it is needed; links are followed."""

    root: Path
    encoding: str = ""  # of names that the zip does not mark as UTF-8

    def listing(self) -> Listing:
        """Every member by name; where a name comes twice, the later one."""
        infos = [info for info in _open_zip(self.root).infolist() if not info.is_dir()]
        names, warnings = self._names(infos)
        regular, links = dict[str, object](), dict[str, str]()
        for info, name in zip(infos, map(_clean, names), strict=True):
            if stat.S_ISLNK(info.external_attr >> 16):
                links[name] = _open_zip(self.root).read(info.filename).decode("utf-8", "replace")
            else:
                regular[name] = ZipMember.of(info)
        return _listed(regular, links, {}, warnings)

    def _names(self, infos: Sequence[zipfile.ZipInfo]) -> tuple[Sequence[str], Sequence[str]]:
        names = [info.filename for info in infos]
        odd = [i for i, info in enumerate(infos) if not (info.flag_bits & UTF8_NAME or names[i].isascii())]
        raw = [names[i].encode("cp437") for i in odd]  # as zipfile decoded them
        decoded, warnings = decode_names(raw, self.encoding if odd else "", "cp437")
        for i, name in zip(odd, decoded, strict=True):
            names[i] = name
        return names, warnings

    def read(self, where: Any) -> bytes:
        """The bytes of one member."""
        content: bytes | None = where.sound(self.root)
        return _open_zip(self.root).read(where.name) if content is None else content


@dataclass(frozen=True)
class Tar:
    """Members of a tar that is not compressed, read by offset and size; links are followed."""

    root: Path
    encoding: str = ""  # of names that are not UTF-8

    def listing(self) -> Listing:
        """Every member by name; where a name comes twice, the later one."""
        members: dict[str, tarfile.TarInfo] = {}
        with tarfile.open(self.root, "r:", tarinfo=QuickTarInfo) as tar:
            for member in tar:
                if not member.isdir():
                    members[member.name] = member
            end = tar.offset
        # tarfile takes a cut between two members for the end of the archive.
        if self.read((end, tarfile.BLOCKSIZE)) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it ends without an end-of-archive block")
        every, warnings = decode_paths([text for m in members.values() for text in (m.name, m.linkname)], self.encoding)
        regular, links, odd = dict[str, object](), dict[str, str](), dict[str, str]()
        for member, raw, target in zip(members.values(), every[::2], every[1::2], strict=True):
            name = _clean(raw)
            if member.issym():
                links[name] = target
            elif member.islnk():
                links[name] = from_root(name, target)
            elif member.isreg() and not member.issparse():
                regular[name] = (member.offset_data, member.size)
            else:
                odd[name] = "a sparse file" if member.issparse() else "not a regular file"
        return _listed(regular, links, odd, warnings)

    def read(self, where: Any) -> bytes:
        """The bytes of one member."""
        offset, size = where
        with open(self.root, "rb", buffering=0) as file:
            return os.pread(file.fileno(), size, offset)


def list_files(archive: Archive, path: Path) -> Listing:
    """The archive's files; ``path`` is its name in the error.

    Raises:
        GanflowError: the archive is damaged or truncated, or a folder of it cannot be read.
    """
    try:
        with _uncollected():
            return archive.listing()
    except PermissionError as error:
        raise GanflowError(f"{error.filename}: {error.strerror}") from None
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError) as error:
        raise GanflowError(f"{path} is damaged: {error}") from None


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no garbage: among so many objects that stay, it takes as long as all else."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def read_file(archive: Archive, file: File) -> bytes:
    """The bytes of one file.

    Raises:
        OSError: whatever makes it unreadable: a vanished file, a wrong CRC, a password, a broken link.
    """
    if file.broken:
        raise OSError(file.broken)
    try:
        return archive.read(file.where)
    except MemoryError:
        raise
    except Exception as error:  # on damaged archives the standard library raises nearly anything
        reason = error.strerror if isinstance(error, OSError) else ""
        raise OSError(" ".join((reason or str(error)).split()) or type(error).__name__) from None


def check_here(archive: Archive) -> None:
    """Refuse to read on a machine that does not see the archive, instead of calling every image unreadable.

    Raises:
        GanflowError: its path does not exist here.
    """
    if not archive.root.exists():
        where = f"{archive.root} does not exist on {socket.gethostname()}"
        raise GanflowError(f"{where}: a cluster of several machines needs data.path and the project on shared storage")


def _listed(
    regular: Mapping[str, object], links: Mapping[str, str], odd: Mapping[str, str], warnings: Sequence[str]
) -> Listing:
    reached, broken = Tree(regular, links).follow() if links else (regular, {})
    files = [File(name, where) for name, where in reached.items()]
    files += [File(name, None, why) for name, why in {**broken, **odd}.items()]
    return Listing(sorted(files, key=lambda file: file.name), list(warnings))


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _open_zip(path: Path) -> zipfile.ZipFile:
    status = path.stat()
    return _cached_zip(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=4)  # reading the directory of a zip with 60,000 members takes about half a second
def _cached_zip(path: Path, mtime_ns: int, size: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def _clean(name: str) -> str:
    return posixpath.normpath(name.replace("\\", "/"))
