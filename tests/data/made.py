"""Small sources made on the spot, and the ways to read a prepared data set back."""

import gzip
import io
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganflow.config import components
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset
from ganflow.data.source import Source
from ganflow.errors import GanflowError


def source(name: str, path: Path | str = "", **options: Any) -> Source:
    """The source as the stage builds it."""
    node = {"name": name, **({"path": str(path)} if path else {}), **options}
    return components.build("source", node, "data")


def refused(name: str, path: Path, tmp_path: Path, **options: Any) -> str:
    """The one line with which prepare refuses a source, leaving nothing behind."""
    with pytest.raises(GanflowError) as caught:
        prepare(source(name, path, **options), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def everything(root: Path, split: str = "train") -> np.ndarray:
    """Every image of a split: uint8 (N, C, H, W)."""
    data = Dataset.open(root, split)
    return data.images(np.arange(len(data)))


def png(pixels: np.ndarray) -> bytes:
    """uint8 (H, W) or (H, W, 3) as PNG."""
    return encoded(Image.fromarray(pixels))


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """An image file's bytes."""
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def noise(seed: int, *shape: int) -> np.ndarray:
    """uint8 noise."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write_tree(root: Path, files: dict[str, bytes]) -> Path:
    """Files below a folder."""
    for name, raw in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(raw)
    return root


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    """Files in a zip, in the order given."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in files.items():
            archive.writestr(name, raw)
    return path


def write_tar(path: Path, files: dict[str, bytes], compression: str = "") -> Path:
    """Files in a tar, in the order given; compression is "", gz, bz2 or xz."""
    with tarfile.open(path, f"w:{compression}") as archive:
        for name, raw in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    return path


def idx_bytes(values: np.ndarray) -> bytes:
    """uint8 values as an IDX file."""
    return bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def write_idx(root: Path, train: int = 40, test: int = 10, side: int = 6, packed: bool = False) -> Path:
    """A small MNIST: noise with labels 0, 1, 2, 0, …; every image of it differs."""
    root.mkdir(parents=True, exist_ok=True)
    for split, n, seed in (("train", train, 0), ("t10k", test, 1)):
        for name, values in (
            (f"{split}-images-idx3-ubyte", noise(seed, n, side, side)),
            (f"{split}-labels-idx1-ubyte", (np.arange(n) % 3).astype(np.uint8)),
        ):
            raw = idx_bytes(values)
            (root / (name + ".gz" * packed)).write_bytes(gzip.compress(raw) if packed else raw)
    return root
