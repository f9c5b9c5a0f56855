"""MNIST's file format: a folder of IDX files, gzipped or not, under their standard names."""

import gzip
import math
import re
import shutil
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ganflow.config.components import component
from ganflow.data.decoding.decode import Frame
from ganflow.data.normal_classes import NormalClasses
from ganflow.data.prepared.dataset import Facts, Labels
from ganflow.data.source import Content, Pixels, Split, Understood, check_watch, recipe_of, watch_path
from ganflow.errors import ConfigError, GanflowError, require

NAME = re.compile(r"(?:.*[-_])?(train|t10k|test)-(images|labels)[-.]idx[13]-ubyte(\.gz)?")
UNSIGNED_BYTES = 0x08


@component("source", "idx")
@dataclass
class Idx(NormalClasses, Frame):
    """A folder with ``train-images-idx3-ubyte[.gz]``, ``train-labels-idx1-ubyte[.gz]``, and so for t10k or test."""

    path: str = ""  # the folder, local or s3://
    watch: list[str] = field(default_factory=watch_path)  # [path]: `dvc repro` sees that it changed; []: it does not
    costly: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.path), "path", self.path, "must name the folder of the IDX files, local or s3://")
        check_watch(self.watch, watch_path)
        self.check_normal()

    def read(self, root: Path, scratch: Path) -> Content:
        """Map the files (gzipped ones are unpacked into ``scratch``) and hold labels against images.

        Raises:
            GanflowError: no training files, a damaged or truncated file, or labels that do not match the images.
        """
        return self.detection(self.all_classes(root, scratch))

    def all_classes(self, root: Path, scratch: Path) -> Content:
        """The content before some classes are called normal; as :meth:`read`."""
        files = self._find(root)
        pairs = {split: _pair(files, split, scratch) for split in ("train", "test") if (split, "images") in files}
        images, labels = pairs["train"]
        ids = np.unique(labels)  # EMNIST's letters begin at 1, and a part of MNIST may lack digits
        for name, (pixels, its_labels) in pairs.items():
            if pixels.shape[1:] != images.shape[1:]:
                sizes = f"{_by(pixels.shape[1:])}, those of train {_by(images.shape[1:])}"
                raise GanflowError(f"{files[name, 'images']}: images are {sizes}")
            unknown = np.setdiff1d(its_labels, ids)
            if len(unknown):
                raise GanflowError(f"{files[name, 'labels']}: label {unknown[0]}, train has {_ranges(ids)} only")
        height, width = images.shape[1:]
        decode = Pixels(Frame(self.resize, self.crop, self.filter))
        return Content(
            facts=Facts(self.shape(1, width, height), num_classes=len(ids)),
            classes=[str(k) for k in ids],
            splits={
                name: Split(pixels, np.searchsorted(ids, labels_of_split), decode)
                for name, (pixels, labels_of_split) in pairs.items()
            },
            recipe=recipe_of("idx", self),
            understood=Understood({name: files[name, "images"].name for name in pairs}, "the labels files"),
        )

    def _find(self, root: Path) -> dict[tuple[str, str], Path]:
        """(split, "images" | "labels") → file; one that is not gzipped wins over the same one gzipped."""
        if not root.is_dir():
            raise ConfigError("data.path", self.path, "no such folder" if not root.exists() else "must be a folder")
        files: dict[tuple[str, str], Path] = {}
        for path in sorted(root.iterdir()):
            match = NAME.fullmatch(path.name)
            if match is None:
                continue
            key = ("train" if match[1] == "train" else "test", match[2])
            other = files.get(key)
            if other is not None and other.name.removesuffix(".gz") != path.name.removesuffix(".gz"):
                raise ConfigError("data.path", self.path, f"holds both {other.name} and {path.name}; keep one of them")
            files.setdefault(key, path)
        if ("train", "images") not in files:
            raise ConfigError("data.path", self.path, "holds no train-images-idx3-ubyte or train-images-idx3-ubyte.gz")
        return files


def _pair(files: dict[tuple[str, str], Path], split: str, scratch: Path) -> tuple[NDArray[np.uint8], Labels]:
    """Images uint8 (N, H, W) and labels int64 (N,) of one split."""
    pixels_file, labels_file = files[split, "images"], files.get((split, "labels"))
    if labels_file is None:
        name = pixels_file.name.replace("images", "labels").replace("idx3", "idx1")
        raise GanflowError(f"{pixels_file} has no labels: {name} is missing beside it")
    images = read_idx(pixels_file, 3, scratch)
    labels = read_idx(labels_file, 1, scratch)
    if len(images) != len(labels):
        raise GanflowError(f"{labels_file} has {len(labels)} labels for the {len(images)} images of {pixels_file.name}")
    return images, np.asarray(labels, dtype=np.int64)


def read_idx(path: Path, dimensions: int, scratch: Path) -> NDArray[np.uint8]:
    """Memory-map an IDX file of unsigned bytes.

    Format: two zero bytes, the type (0x08), the number of dimensions, one big-endian uint32 per dimension, the values.

    Args:
        path: the file, gzipped if it ends in ``.gz``.
        dimensions: how many it must have: 3 for images (N, H, W), 1 for labels (N,).
        scratch: where a gzipped file is unpacked.

    Raises:
        GanflowError: another format, truncated, longer than it says, or empty.
    """
    plain = _unpacked(path, scratch) if path.suffix == ".gz" else path
    start = 4 + 4 * dimensions
    with plain.open("rb") as file:
        head = file.read(start)
    if head[:4] != bytes((0, 0, UNSIGNED_BYTES, dimensions)):
        expected = bytes((0, 0, UNSIGNED_BYTES, dimensions)).hex()
        raise GanflowError(f"{path}: begins with {head[:4].hex() or 'nothing'}, IDX of this kind with {expected}")
    if len(head) < start:
        raise GanflowError(f"{path}: truncated within its header")
    shape = struct.unpack(f">{dimensions}I", head[4:])
    holds, says = plain.stat().st_size - start, math.prod(shape)
    if holds != says:
        how = "truncated" if holds < says else "too long"
        raise GanflowError(f"{path}: {how}: its header says {_by(shape)} = {says} bytes, it holds {holds}")
    if not says:
        raise GanflowError(f"{path}: holds no {'images' if dimensions == 3 else 'labels'}")
    return np.memmap(plain, dtype=np.uint8, mode="r", offset=start, shape=shape)


def _unpacked(path: Path, scratch: Path) -> Path:
    target = scratch / path.stem
    try:
        with gzip.open(path, "rb") as packed, target.open("wb") as file:
            shutil.copyfileobj(packed, file, 2**20)
    except EOFError:
        raise GanflowError(f"{path}: truncated gzip file") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise GanflowError(f"{path}: damaged gzip file: {error}") from None
    return target


def _ranges(ids: NDArray[np.int64]) -> str:
    """Sorted numbers in words, such as 0..2, 5."""
    runs = np.split(ids, np.flatnonzero(np.diff(ids) > 1) + 1)
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in runs)


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
