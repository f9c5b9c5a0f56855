"""Opens what holds images: a folder, an archive, or a folder of archives.

A compressed tar is unpacked to one plain tar, whose members are then read by offset.
"""

import bz2
import gzip
import io
import lzma
import posixpath
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ganflow.data.archives.archive import Archive, File, FolderArchive, Listing, Tar, Zip, list_files
from ganflow.data.archives.filenames import archive_stem, is_hidden, is_image
from ganflow.errors import GanflowError
from ganflow.terminal.progress import Bar

Opener = Callable[[IO[bytes]], io.BufferedIOBase]
PACKED: dict[bytes, Opener] = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\x00": lzma.open, b"BZh": bz2.open}
_NUMBERED = re.compile(r"(?:(?P<base>.*?)[-_.])?(?P<number>\d+(?:-of-\d+)?)")  # 00003, train-000003, a-00003-of-00010


@dataclass(frozen=True)
class ArchiveSet:
    """A folder of archives and what lies beside them, read as one.

    ``train.tar`` and ``cat.zip`` are read as folders of these names. Numbered ones, as webdataset writes them, are
    portions: ``train-000003.tar`` is read as a part of ``train/``, ``00003.tar`` as a part of the whole. Names of their
    files begin with the number, because each portion may use the same ones.
    """

    root: Path
    parts: tuple[tuple[str, Archive], ...]  # the archive's name below the root

    def listing(self) -> Listing:
        """Every file, by name."""
        beside = [
            File(f.name, (-1, f.where), f.broken) for f in FolderArchive(self.root).walk() if not archive_stem(f.name)
        ]
        warnings = [f"{len(self.parts):,} archives are read as one data set, such as {self.parts[0][0]}"]
        files = beside
        for k, (name, archive) in enumerate(self.parts):
            listing, stem = list_files(archive, self.root / name), archive_stem(name)
            files += [File(_name(stem, file.name), (k, file.where), file.broken) for file in listing.files]
            warnings += listing.warnings
        return Listing(sorted(files, key=lambda file: file.name), warnings)

    def read(self, where: Any) -> bytes:
        """The bytes of one file."""
        k, inner = where
        return FolderArchive(self.root).read(inner) if k < 0 else self.parts[k][1].read(inner)


def _name(stem: str, name: str) -> str:
    if name.split("/", 1)[0] in ("", ".."):
        return name  # it leads out of the archive
    folder, base = posixpath.split(stem)
    match = _NUMBERED.fullmatch(base)
    if match is None:
        return posixpath.join(stem, name)
    inner, file = posixpath.split(name)
    return posixpath.join(folder, match["base"] or "", inner, f"{match['number']}-{file}")


def open_source(path: Path, scratch: Path, encoding: str = "") -> Archive:
    """Open an archive, or a folder of images or of archives.

    Args:
        path: a folder, a zip, or a tar (plain, gzip, bzip2 or xz).
        scratch: where compressed tars are unpacked to plain ones.
        encoding: of file names that are not UTF-8.

    Raises:
        GanflowError: it does not exist, is none of these, or is damaged.
    """
    if not path.exists():
        raise GanflowError(f"{path} does not exist")
    if not path.is_dir():
        return _open_file(path, scratch / "archive.tar", encoding)
    packed = _archives_of(path)
    if not packed:
        return FolderArchive(path, encoding)
    parts = [(name, _open_file(path / name, scratch / f"archive-{k}.tar", encoding)) for k, name in enumerate(packed)]
    return ArchiveSet(path, tuple(parts))


def _archives_of(folder: Path) -> Sequence[str]:
    """Names of the archives below a folder that holds no images itself."""
    packed = []
    try:
        for file in FolderArchive(folder).walk():
            if is_image(file.name) and not is_hidden(file.name):
                return []
            if archive_stem(file.name) and not is_hidden(file.name):
                packed.append(file.name)
    except OSError as error:
        raise GanflowError(f"{error.filename}: {error.strerror}") from None
    return sorted(packed)


def _open_file(path: Path, plain: Path, encoding: str) -> Archive:
    """Recognise an archive by what it holds, not by its name."""
    try:
        if zipfile.is_zipfile(path):
            return Zip(path, encoding)
        with path.open("rb") as file:
            start = file.read(6)
        unpack = next((opener for magic, opener in PACKED.items() if start.startswith(magic)), None)
        tar = _unpack(unpack, path, plain) if unpack else path
        if tarfile.is_tarfile(tar):
            return Tar(tar, encoding)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise GanflowError(f"{path} is damaged: {error}") from None
    raise GanflowError(f"{path} is not a folder, zip or tar (plain, .gz, .bz2, .xz)")


def _unpack(opener: Opener, packed: Path, target: Path) -> Path:
    size = packed.stat().st_size  # of what is read: how much it becomes is not known
    with (
        packed.open("rb") as raw, opener(raw) as source, target.open("wb") as file,
        Bar("unpack", size, "B", aside=True) as bar,
    ):  # fmt: skip
        while part := source.read(2**20):
            file.write(part)
            bar.reach(raw.tell())
    return target
