"""A data set of any size that takes next to no disk: shards of nothing but zeros, as sparse files."""

from pathlib import Path
from typing import Any

import numpy as np

from ganflow.data.prepared.dataset import Facts
from ganflow.data.prepared.shards import write_manifest

UNREAD = "0" * 64  # nobody can hold terabytes against a checksum


def write_sparse(root: Path, facts: Facts, count: int, shards: int) -> None:
    """Write a train split of ``count`` images in so many shards; every image is black, every label 0."""
    (root / "train").mkdir(parents=True)
    listed = []
    for k in range(shards):
        rows = count * (k + 1) // shards - count * k // shards
        entry: dict[str, Any] = {"count": rows}
        for kind, of_row in facts.rows("train").items():
            name = f"train/{kind}-{k:05d}.npy"
            _write_zeros(root / name, of_row.dtype, (rows, *of_row.shape))
            entry[kind] = {"file": name, "sha256": UNREAD}
        listed.append(entry)
    classes = [str(label) for label in range(facts.num_classes)]
    split = {"count": count, "per_class": [count] + [0] * (len(classes) - 1), "shards": listed}
    write_manifest(root, facts, classes, {"train": split}, {"name": "sparse"})


def overwrite(path: Path, row: int, values: np.ndarray) -> None:
    """Set one row of a shard."""
    array = np.load(path, mmap_mode="r+")
    array[row] = values
    array.flush()


def _write_zeros(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + int(np.prod(shape)) * dtype.itemsize)
