"""All samples as arrays in one ``.npz``, however many: the file grows on disk and is moved to its place when complete.

A command that was cut off goes on where the file was last put on disk.
"""

import io
import os
import shutil
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ganflow.errors import GanflowError
from ganflow.generation.sampling import Sampling
from ganflow.generation.writers import manifest
from ganflow.generation.writers.base import Sink, sink
from ganflow.generation.writers.stored_zip import CRC_AT, Entry, directory, local_header
from ganflow.generation.writers.target import Place, made
from ganflow.storage import open_storage
from ganflow.terminal.progress import Advance, progress

ARRAYS = "arrays.npz"  # while it grows
SAVED = 16  # batches after which the file is put on disk
CHUNK = 2**20

Rows = Iterator[npt.NDArray[Any]]


@sink(".npz", says="arrays `images` or `points`, and `labels`")
@dataclass(frozen=True)
class Npz(Sink):
    """``images`` uint8 (n, H, W, C) or ``points`` float32 (n, 2), and ``labels`` int64 (n,); not compressed."""

    def write(self, sampling: Sampling, place: Place) -> None:
        with made(place.scratch):
            storage, note = open_storage(place.scratch), sampling.record()
            if not manifest.begun(storage, note, str(place.scratch)):
                manifest.begin(storage, note)
            path = place.scratch / ARRAYS
            try:
                _grow(path, sampling)
            except OSError as error:
                raise GanflowError(f"cannot write {path}: {error.strerror or error}") from None
            place.publish(path)
            shutil.rmtree(place.scratch, ignore_errors=True)


def _grow(path: Path, sampling: Sampling) -> None:
    """Write what is not there yet."""
    samples = _Array.of_samples(sampling)
    with path.open("r+b" if path.exists() else "w+b") as file:
        there = samples.whole_rows(path.stat().st_size, SAVED * sampling.starts.step)
        with progress(sampling.n, "generate", done=there) as advance:
            entries = [samples.write(file, there, _drawn(file, sampling, there, advance))]
        if sampling.turn:
            labels = _Array("labels", np.dtype(np.int64), (sampling.n,))
            entries.append(labels.write(file, 0, (sampling.labels(i, sampling.count(i)) for i in sampling.starts)))
        file.write(directory(entries, file.tell()))
        file.truncate()
        _save(file)


def _drawn(file: IO[bytes], sampling: Sampling, there: int, advance: Advance) -> Rows:
    """The batches after ``there`` samples; the file they are written to is put on disk now and then."""
    for index, first in enumerate(sampling.starts[there // sampling.starts.step :], 1):
        samples = sampling.draw(first)
        yield samples
        advance(len(samples))
        if index % SAVED == 0:
            _save(file)


def _save(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


@dataclass(frozen=True)
class _Array:
    """One array of the file."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @classmethod
    def of_samples(cls, sampling: Sampling) -> "_Array":
        spec = sampling.spec
        if spec.points:
            return cls("points", np.dtype(np.float32), (sampling.n, spec.channels))
        return cls("images", np.dtype(np.uint8), (sampling.n, spec.resolution, spec.resolution, spec.channels))

    @property
    def row(self) -> int:
        """Bytes."""
        return prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def header(self) -> bytes:
        """Of NumPy's format."""
        stream = io.BytesIO()
        described = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": self.shape}
        np.lib.format.write_array_header_1_0(stream, described)
        return stream.getvalue()

    @property
    def entry(self) -> Entry:
        """Of the zip."""
        return Entry(f"{self.name}.npy", len(self.header) + self.shape[0] * self.row)

    def whole_rows(self, size: int, step: int) -> int:
        """The number of rows of a file of this size that surely are on disk: those before the last ``step`` of them."""
        begin = len(local_header(self.entry)) + len(self.header)
        filled = min(size - begin, self.shape[0] * self.row)
        return max(0, (filled - 1) // (step * self.row)) * step

    def write(self, file: IO[bytes], there: int, rows: Rows) -> Entry:
        """Write the array from where the file stands, but for rows that are there."""
        entry, crc = replace(self.entry, offset=file.tell()), zlib.crc32(self.header)
        file.write(local_header(entry) + self.header)
        left = there * self.row
        while left:
            known = file.read(min(left, CHUNK))
            crc, left = zlib.crc32(known, crc), left - len(known)
        file.seek(file.tell())  # between reading and writing
        for part in rows:
            content = np.ascontiguousarray(part, self.dtype).data
            crc = zlib.crc32(content, crc)
            file.write(content)
        end = file.tell()
        file.seek(entry.offset + CRC_AT)
        file.write(struct.pack("<L", crc))
        file.seek(end)
        return replace(entry, crc=crc)
