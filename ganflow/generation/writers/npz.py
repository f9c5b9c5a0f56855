"""All samples as arrays in one ``.npz``, however many: they grow on disk, and are zipped to their place when complete.

A command that was cut off goes on where the samples were last put on disk.
"""

import os
import shutil
import zipfile
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO

import numpy as np

from ganflow.errors import GanflowError
from ganflow.generation.sampling import Sampling
from ganflow.generation.writers import manifest
from ganflow.generation.writers.base import Sink, sink
from ganflow.generation.writers.target import Place, made
from ganflow.storage import open_storage
from ganflow.terminal.progress import progress

GROWING, ARRAYS = "samples.npy", "arrays.npz"
SAVED = 16  # batches after which samples are put on disk
CHUNK = 2**20


@sink(".npz", says="arrays `images` or `points`, and `labels`")
@dataclass(frozen=True)
class Npz(Sink):
    """``images`` uint8 (n, H, W, C) or ``points`` float32 (n, 2), and ``labels`` int64 (n,); not compressed."""

    def write(self, sampling: Sampling, place: Place) -> None:
        with made(place.scratch):
            storage, note = open_storage(place.scratch), sampling.record()
            if not manifest.begun(storage, note, str(place.scratch)):
                manifest.begin(storage, note)
            samples, arrays = place.scratch / GROWING, place.scratch / ARRAYS
            try:
                _grow(samples, sampling)
                _pack(arrays, samples, sampling)
            except OSError as error:
                raise GanflowError(f"cannot write {place.scratch}: {error.strerror or error}") from None
            place.publish(arrays)
            shutil.rmtree(place.scratch, ignore_errors=True)


def _grow(path: Path, sampling: Sampling) -> None:
    """Draw what is not there yet. Rows are appended, so that a full disk is an error and memory holds one batch."""
    spec = sampling.spec
    dtype, row = spec.signal.dtype, spec.signal.row(spec.shape)
    step, size = sampling.starts.step, dtype.itemsize * prod(row)
    with path.open("r+b" if path.exists() else "w+b") as file:
        length = path.stat().st_size
        _header(file, dtype, (sampling.n, *row))
        # The last rows may be of a size that was on disk before their content was.
        whole = max(0, (length - file.tell() - 1) // (SAVED * step * size)) * SAVED * step
        file.truncate(file.seek(whole * size, os.SEEK_CUR))
        with progress(sampling.n, "generate", done=whole) as advance:
            for index, first in enumerate(sampling.starts[whole // step :], 1):
                samples = np.ascontiguousarray(sampling.draw(first), dtype)
                file.write(samples.data)
                advance(len(samples))
                if index % SAVED == 0:
                    _save(file)


def _pack(path: Path, samples: Path, sampling: Sampling) -> None:
    """Make the zip of the complete samples and their labels."""
    with path.open("wb") as file:
        with zipfile.ZipFile(file, "w") as arrays:
            with samples.open("rb") as content, _entry(arrays, sampling.spec.signal.array) as entry:
                shutil.copyfileobj(content, entry, CHUNK)
            if sampling.turn:
                with _entry(arrays, "labels") as entry:
                    _header(entry, np.dtype(np.int64), (sampling.n,))
                    for first in sampling.starts:
                        entry.write(sampling.labels(first, sampling.count(first)).data)
        _save(file)


def _entry(arrays: zipfile.ZipFile, name: str) -> IO[bytes]:
    """An array's file in the zip: without a time, so that the same content gives the same bytes, and of any size."""
    return arrays.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True)


def _header(file: IO[bytes], dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> None:
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)


def _save(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
