"""A prepared data set, read: shards that are memory-mapped, described by ``dataset.json``.

On disk, where there are N samples, each of a shape and a type that its kind of data has (images uint8 (C, H, W))::

    dataset.json             facts, class names, and per split the shards with their sha256
    train/images-00000.npy   (N, *shape)
    train/labels-00000.npy   int64 (N,)
    train/given-00000.npy    uint8 (N, *given), where the data are pairs: what a model is given of each image
    test/...                 the same, where there is a test split
    test/masks-00000.npy     uint8 (N, 1, H, W), where anomalous pixels are known: 1 of these, 0 of the others
    held_out/...             as train, of data for detection: normal images that neither of the two has
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganflow import records
from ganflow.data.prepared import checksums
from ganflow.data.prepared.row_array import Rows
from ganflow.errors import GanflowError
from ganflow.signals import Signal, named
from ganflow.signals.base import IMAGE, Shape, is_square, square

# Format versions: the first states resolution and channels, the second a shape, the third pairs and detection.
SQUARE, ANY_SHAPE, FURTHER = 1, 2, 3
ROLES = ("images", "labels", "given", "masks")
MANIFEST = "dataset.json"
REPAIR = "`dvc checkout` brings it back, `dvc repro prepare` makes it anew"

Images = NDArray[np.uint8 | np.float32]
Labels = NDArray[np.int64]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Mixture:
    """The Gaussians of equal weight that points were drawn from; the class of a point is its mode."""

    centres: tuple[tuple[float, ...], ...]  # (K, 2)
    sigma: float  # standard deviation of each, in either direction


class RowFormat(NamedTuple):
    """The rows of an array."""

    shape: Shape  # of one
    dtype: np.dtype[np.generic]


@dataclass(frozen=True)
class Facts:
    """Facts that the data state, so that no configuration has to repeat them."""

    shape: Shape  # of a sample, its channels first: images (C, H, W)
    num_classes: int  # 0: unlabelled
    kind: str = IMAGE  # the name of the signal
    mixture: Mixture | None = None  # of points
    given: Shape | None = None  # of what a model is given of an image; None: the data are not pairs
    masked: bool = False  # the test split says which pixels are anomalous
    normal: tuple[int, ...] = ()  # labels that are normal, of data for detection
    light: str = ""  # that images were brought to: standardised; "": their own

    @property
    def signal(self) -> Signal:
        """The kind of data."""
        return named(self.kind)

    @property
    def channels(self) -> int:
        """1 grey, 3 RGB; of points, their coordinates."""
        return self.shape[0]

    @property
    def values(self) -> int:
        """The number of values of a sample."""
        return prod(self.shape)

    def __str__(self) -> str:
        return self.signal.says(self.shape)

    def stated(self) -> dict[str, object]:
        """As plain values, without what goes without saying."""
        shape = {"resolution": self.shape[1], "channels": self.channels} if self.square else {"shape": list(self.shape)}
        others = {"num_classes": self.num_classes, "kind": self.kind, "mixture": self.mixture and asdict(self.mixture)}
        roles = {"given": self.given and list(self.given), "masked": self.masked, "normal": list(self.normal)}
        further: dict[str, object] = {**roles, "light": self.light}
        stated = {key: value for key, value in others.items() if value not in (IMAGE, None)}
        return shape | stated | {key: value for key, value in further.items() if value}

    @property
    def square(self) -> bool:
        """True where a sample has two sides of one length."""
        return is_square(self.shape)

    @property
    def format(self) -> int:
        """The version of the format that can state these facts: the first one that can."""
        if self.given or self.masked or self.normal:
            return FURTHER
        return SQUARE if self.square else ANY_SHAPE

    def rows(self, split: str) -> dict[str, RowFormat]:
        """The arrays of a split by their role."""
        rows = {"images": RowFormat(self.shape, self.signal.dtype), "labels": RowFormat((), np.dtype(np.int64))}
        if self.given:
            rows["given"] = RowFormat(self.given, np.dtype(np.uint8))
        if self.masked and split == "test":
            rows["masks"] = RowFormat((1, *self.shape[1:]), np.dtype(np.uint8))
        return rows

    def size(self, split: str) -> int:
        """Bytes of a sample and of what stands beside it, but for its label."""
        return sum(prod(row.shape) * row.dtype.itemsize for role, row in self.rows(split).items() if role != "labels")


class Dataset:
    """One split of a prepared data set.

    Attributes:
        facts: shape and kind of the samples, number of classes.
        classes: class names; the label is the index. Empty when unlabelled.
        digest: sha256 (hex) of what the data are, over all splits. It knows no path and no time, so it is equal on
            every machine.
        labels: int64 (N,), zeros when unlabelled; they stay on disk, ``labels[indices]`` copies some and
            ``np.asarray(labels)`` all of them.
    """

    def __init__(self, root: Path, split: str, manifest: dict[str, Any]) -> None:
        shards = manifest["splits"][split]["shards"]
        self.root, self.split = root, split
        self.facts = facts_of(manifest)
        self.classes = list(manifest["classes"])
        self.digest = digest_of(manifest)
        counts = [shard["count"] for shard in shards]
        self._rows = {
            role: Rows([root / shard[role]["file"] for shard in shards], counts, *row, REPAIR)
            for role, row in self.facts.rows(split).items()
        }
        self.labels = self._rows["labels"]

    @classmethod
    def open(cls, root: Path, split: str = "train", verify: bool = True) -> "Dataset":
        """Open one split.

        Args:
            root: the folder with ``dataset.json``.
            split: ``train``, ``test`` or ``held_out``.
            verify: hold every shard of the split against its checksum; a large data set once per machine.

        Raises:
            GanflowError: no data set here, another format version, no such split, or a file that is missing or
                is not what was prepared.
        """
        root = Path(root).absolute()
        manifest = read_manifest(root)
        splits = manifest["splits"]
        if split not in splits:
            raise GanflowError(f"{root} has no split {split!r}; it has {', '.join(splits)}")
        dataset = cls(root, split, manifest)
        if verify:
            entries = [shard[role] for shard in splits[split]["shards"] for role in dataset.facts.rows(split)]
            checksums.verify(root, {entry["file"]: entry["sha256"] for entry in entries}, _not_as_prepared)
        return dataset

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: NDArray[np.int64]) -> Images:
        """Images in the order asked for; an index may come more than once.

        Args:
            indices: (B,), each in ``[0, len(self))``.

        Returns:
            (B, *shape), a copy: images uint8 (B, C, H, W), points float32 (B, 2, 1, 1).

        Raises:
            IndexError: an index outside of the data set.
        """
        return self._rows["images"][indices]

    def given(self, indices: NDArray[np.int64]) -> Bytes:
        """The parts of pairs that a model is given of the images ``indices`` (B,): uint8 (B, *facts.given), a copy.

        Raises:
            GanflowError: the data are not pairs.
        """
        return self._further("given")[indices]

    def masks(self, indices: NDArray[np.int64]) -> Bytes:
        """The anomalous pixels of the images ``indices`` (B,): uint8 (B, 1, H, W), 1 of these, a copy.

        Raises:
            GanflowError: the data do not say, or it is another split than test.
        """
        return self._further("masks")[indices]

    def _further(self, role: str) -> Rows:
        if role not in self._rows:
            raise GanflowError(f"{self.root} has no {role} in split {self.split}; it has {', '.join(self._rows)}")
        return self._rows[role]

    def __reduce__(self) -> tuple[object, tuple[Path, str, bool]]:
        # A spawned loader process maps the files again: a pickled memory map would carry every pixel.
        return Dataset.open, (self.root, self.split, False)


def is_prepared(root: Path) -> bool:
    """Tell a prepared data set, damaged or not, from images beside a ``dataset.json`` of StyleGAN's (their labels)."""
    try:
        content = json.loads((root / MANIFEST).read_bytes())
    except OSError:
        return False
    except ValueError:
        return True
    return not (isinstance(content, dict) and "labels" in content and "format" not in content)


def read_manifest(root: Path) -> dict[str, Any]:
    """Read and check ``dataset.json``.

    Raises:
        GanflowError: it is missing, unreadable, of another format version, or was changed after it was written.
    """
    path = root / MANIFEST
    manifest: dict[str, Any] = records.read(path, dict, "`dvc repro prepare` writes it")
    if (version := manifest.get("format")) not in (SQUARE, ANY_SHAPE, FURTHER):
        reads = f"{SQUARE} to {FURTHER}"
        raise GanflowError(f"{path} has format version {version}, this ganflow reads {reads}: prepare the data again")
    try:
        intact = digest_of(manifest) == manifest["digest"]
    except (KeyError, TypeError):
        intact = False
    if not intact:
        raise GanflowError(f"{path} was changed after it was written; {REPAIR}")
    return manifest


def files_of(manifest: dict[str, Any]) -> dict[str, str]:
    """sha256 by name of all files that a manifest lists."""
    shards = [shard for split in manifest["splits"].values() for shard in split["shards"]]
    entries = [shard[role] for shard in shards for role in ROLES if role in shard]
    return {entry["file"]: entry["sha256"] for entry in entries}


def facts_of(manifest: dict[str, Any]) -> Facts:
    """The facts that a manifest states."""
    mixture = manifest.get("mixture")
    if mixture is not None:
        mixture = Mixture(tuple(map(tuple, mixture["centres"])), mixture["sigma"])
    given = tuple(manifest["given"]) if "given" in manifest else None
    masked, normal = manifest.get("masked", False), tuple(manifest.get("normal", ()))
    kind, num_classes = manifest.get("kind", IMAGE), len(manifest["classes"])
    light = manifest.get("light", "")
    return Facts(shape_of(manifest), num_classes, kind, mixture, given, masked, normal, light)


def shape_of(stated: Mapping[str, Any]) -> Shape:
    """The shape of a sample, from what :meth:`Facts.stated` gives."""
    return tuple(stated["shape"]) if "shape" in stated else square(stated["channels"], stated["resolution"])


def digest_of(manifest: dict[str, Any]) -> str:
    """sha256 (hex) over facts, class names and the shards' checksums; not over the source's options."""
    what = {key: manifest[key] for key in ("format", "classes")}
    sometimes = ("resolution", "channels", "shape", "kind", "mixture", "given", "masked", "normal", "light")
    what |= {key: manifest[key] for key in sometimes if key in manifest}
    what["splits"] = {
        name: [
            [shard["count"], *(shard[role]["sha256"] for role in ROLES if role in shard)] for shard in split["shards"]
        ]
        for name, split in manifest["splits"].items()
    }
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def _not_as_prepared(path: Path) -> GanflowError:
    return GanflowError(f"{path} does not match its checksum in {MANIFEST}; {REPAIR}")
