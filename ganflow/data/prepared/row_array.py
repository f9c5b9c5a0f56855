"""Rows that lie in several files, as one array that is never whole in memory."""

import functools
import mmap
import os
import resource
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ganflow.errors import GanflowError

_SHARE_OF_FILES = 16  # one part in so many of the files that a process may have open: three splits of two to four roles
_SHARE_OF_MEMORY = 2  # rows of more than one part in so many of the memory are read from disk again and again
_HEADER = 1 << 16  # bytes at most before the rows of a ``.npy``

Shape = tuple[int, ...]


class Rows:
    """The rows of several ``.npy`` files, one after the other. ``np.asarray`` copies them all.

    A map keeps its file open: of more files than a process may have open, those are mapped that were used last.

    Args:
        files: in the order of their rows.
        counts: rows per file.
        shape: of a row.
        dtype: of all files.
        repair: what the user does about a file that is not as it should be.

    Raises:
        GanflowError: a file is missing, too short or too long, or no such array.
    """

    def __init__(
        self, files: Sequence[Path], counts: Sequence[int], shape: Shape, dtype: np.dtype[np.generic], repair: str
    ) -> None:
        self.shape, self.dtype = (sum(counts), *shape), dtype
        self._counts, self._ends = list(counts), np.cumsum(counts)
        self._files = _Files(list(files), self._counts, shape, dtype, repair)
        most = max(16, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // _SHARE_OF_FILES)
        self._map = functools.lru_cache(maxsize=most)(self._files.map)
        for k in range(len(files) if len(files) <= most else 0):
            self._map(k)  # what is mapped stays, whatever becomes of its name

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """A copy of some rows, in the order asked for; an index may come more than once.

        Raises:
            IndexError: an index outside of ``[0, len(self))``.
            TypeError: a mask or anything else that is not a whole number.
        """
        indices = np.asarray(indices)
        if indices.size and not np.issubdtype(indices.dtype, np.integer):
            raise TypeError(f"rows are asked for by whole numbers, not by {indices.dtype}")
        indices = indices.astype(np.int64, copy=False)
        if indices.size and not (indices.min() >= 0 and indices.max() < len(self)):
            raise IndexError(f"indices {indices.min()}..{indices.max()} of {len(self)} rows")
        if len(self._counts) == 1:
            return np.asarray(self._map(0)[indices])
        out = np.empty((len(indices), *self.shape[1:]), self.dtype)
        file_of = np.searchsorted(self._ends, indices, side="right")
        order = np.argsort(file_of, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(file_of[order])) + 1):
            if len(rows):
                k = int(file_of[rows[0]])
                out[rows] = self._map(k)[indices[rows] - (self._ends[k] - self._counts[k])]
        return out

    def __eq__(self, other: object) -> Any:
        return np.asarray(self) == other  # row by row: Python's own answer for a mask would be a silent False

    __hash__ = None  # type: ignore[assignment]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[np.generic]:
        out = np.empty(self.shape, dtype or self.dtype)
        for k, (count, end) in enumerate(zip(self._counts, self._ends, strict=True)):
            out[end - count : end] = self._map(k)
        return out


@dataclass
class _Files:
    """Maps files, and knows whether they are still those that were there at the start."""

    paths: list[Path]
    counts: list[int]
    shape: Shape
    dtype: np.dtype[np.generic]
    repair: str
    inodes: list[int] = field(init=False)
    larger_than_memory: bool = field(init=False)

    def __post_init__(self) -> None:
        row = int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        self.larger_than_memory = sum(self.counts) * row > memory // _SHARE_OF_MEMORY
        self.inodes = [self._look(path, count * row) for path, count in zip(self.paths, self.counts, strict=True)]

    def map(self, k: int) -> NDArray[Any]:
        """The k-th file's rows."""
        path = self.paths[k]
        try:
            array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")  # refuses pickles, and anything but .npy
            replaced = path.stat().st_ino != self.inodes[k]
        except ValueError:
            raise self._unreadable(path) from None
        except FileNotFoundError:
            replaced = True
        if replaced:
            raise GanflowError(f"{path} was replaced while it was in use; start again, the data are others now")
        if array.shape != (self.counts[k], *self.shape) or array.dtype != self.dtype:
            raise self._unreadable(path)
        if self.larger_than_memory and isinstance(array.base, mmap.mmap):
            array.base.madvise(mmap.MADV_RANDOM)  # or the kernel reads up to megabytes around every row
        return array.view(np.ndarray)  # still the map, without memmap's own Python at every look

    def _look(self, path: Path, size: int) -> int:
        try:
            status = path.stat()
        except FileNotFoundError:
            raise GanflowError(f"{path} is missing; {self.repair}") from None
        if not 0 < status.st_size - size <= _HEADER:
            raise self._unreadable(path)
        return status.st_ino

    def _unreadable(self, path: Path) -> GanflowError:
        return GanflowError(f"{path} is not a readable shard; {self.repair}")
