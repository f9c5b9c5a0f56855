"""A prepared data set, written: into a temporary sibling folder that becomes the data set by one rename.

A failure removes the temporary folder. A kill leaves it behind, hidden and never taken for a data set, until the next
start: its lock tells whether its writer still lives.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganflow import records
from ganflow.atomic_files import HashingFile, locked, sync_folder
from ganflow.data.prepared.dataset import MANIFEST, Bytes, Facts, Images, Labels, digest_of
from ganflow.errors import GanflowError
from ganflow.terminal.interrupts import held

SHARD_BYTES = 256 * 2**20
NONE_FURTHER: Mapping[str, Bytes] = {}


@dataclass(frozen=True)
class Workplace:
    """The folders of one ``prepare``: what stands in ``data`` at the end is published, ``scratch`` is thrown away."""

    data: Path
    scratch: Path


@contextlib.contextmanager
def workplace(out: Path) -> Iterator[Workplace]:
    """A temporary sibling of ``out`` whose ``data`` replaces ``out`` when the block ends without an error.

    Raises:
        GanflowError: another process is writing ``out`` now.
    """
    out = out.absolute()
    with _writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(out)
        folder = Path(tempfile.mkdtemp(prefix=_prefix(out), dir=out.parent))
    try:
        with locked(folder, "prepare"):
            work = Workplace(folder / "data", folder / "scratch")
            work.data.mkdir()
            work.scratch.mkdir()
            yield work
            with _writing(out), held():
                _publish(work.data, out, folder / "old")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise GanflowError(f"cannot write {path}: {error.strerror or error}") from None


def _prefix(out: Path) -> str:
    return f".{out.name}.tmp-"


def _remove_stale(out: Path) -> None:
    for folder in out.parent.glob(f"{_prefix(out)}*"):
        with locked(folder, "prepare"):
            shutil.rmtree(folder, ignore_errors=True)


def _publish(data: Path, out: Path, old: Path) -> None:
    for folder in (data, *(p for p in data.iterdir() if p.is_dir())):
        sync_folder(folder)
    if out.exists():
        out.rename(old)
    data.rename(out)
    sync_folder(out.parent)


@dataclass
class SplitWriter:
    """Collects the images of one split in order and writes a shard whenever one is full.

    Args:
        root: the data set's folder.
        split: ``train``, ``test`` or ``held_out``.
        facts: what every sample is: its shape, its kind.
        shard_bytes: the size of a full shard; memory is bounded by one shard.
    """

    root: Path
    split: str
    facts: Facts
    shard_bytes: int = SHARD_BYTES
    shards: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rows = self.facts.rows(self.split)
        self._full = max(1, self.shard_bytes // self.facts.size(self.split))
        self._per_class = np.zeros(max(1, self.facts.num_classes), dtype=np.int64)
        self._held: list[dict[str, NDArray[np.generic]]] = []
        self._count = 0
        (self.root / self.split).mkdir()

    def add(self, images: Images, labels: Labels, further: Mapping[str, Bytes] = NONE_FURTHER) -> None:
        """Append images (B, C, H, W), their labels (B,) and what else the split has, by role."""
        arrays: dict[str, NDArray[np.generic]] = {"images": images, "labels": labels, **further}
        self._check(arrays)
        self._per_class += np.bincount(labels, minlength=len(self._per_class))
        at = 0
        while at < len(images):
            end = min(len(images), at + self._full - self._count)
            self._held.append({role: values[at:end] for role, values in arrays.items()})
            self._count += end - at
            at = end
            if self._count == self._full:
                self._flush()

    def _check(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Refuse arrays that are not those of the split."""
        count = len(arrays["images"])
        wanted = {role: ((count, *row.shape), row.dtype) for role, row in self._rows.items()}
        got = {role: (values.shape, values.dtype) for role, values in arrays.items()}
        if got != wanted:
            raise ValueError(f"split {self.split} takes {wanted}, not {got}")

    def close(self) -> dict[str, Any]:
        """Write what is left; return the split's part of the manifest."""
        if self._count:
            self._flush()
        count = sum(shard["count"] for shard in self.shards)
        return {"count": count, "per_class": self._per_class.tolist(), "shards": self.shards}

    def _flush(self) -> None:
        number = f"{len(self.shards):05d}.npy"
        written = {
            role: _write(
                self.root, f"{self.split}/{role}-{number}", [held[role] for held in self._held], row.dtype,
                (self._count, *row.shape),
            )
            for role, row in self._rows.items()
        }  # fmt: skip
        self.shards.append({"count": self._count, **written})
        self._held, self._count = [], 0


def _write(
    root: Path, name: str, parts: list[NDArray[np.generic]], dtype: np.dtype[np.generic], shape: tuple[int, ...]
) -> dict[str, str]:
    """Write the parts as one ``.npy`` without joining them in memory."""
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with _writing(root / name), (root / name).open("wb") as file:
        hashing = HashingFile(file)
        np.lib.format.write_array_header_1_0(hashing, header)
        for part in parts:
            hashing.write(np.ascontiguousarray(part, dtype=dtype).data)
        file.flush()
        os.fsync(file.fileno())
    return {"file": name, "sha256": hashing.sha256.hexdigest()}


def write_manifest(
    root: Path, facts: Facts, classes: list[str], splits: dict[str, dict[str, Any]], source: dict[str, object]
) -> dict[str, Any]:
    """Write ``dataset.json``, the last file of a data set, and return what it says.

    Args:
        root: the data set's folder.
        facts: what every image is.
        classes: class names, empty when unlabelled.
        splits: what :meth:`SplitWriter.close` returned, by split.
        source: the source's name and how its images were cropped and resized; no path, no time.
    """
    manifest: dict[str, Any] = {
        "format": facts.format,
        **{key: value for key, value in facts.stated().items() if key != "num_classes"},
        "classes": classes,
        "source": source,
        "splits": splits,
    }
    manifest["digest"] = digest_of(manifest)
    with _writing(root / MANIFEST):
        records.write(root / MANIFEST, manifest)
    return manifest
