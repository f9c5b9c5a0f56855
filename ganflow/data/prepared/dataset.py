"""A prepared data set, read: shards that are memory-mapped, described by ``dataset.json``.

On disk, where shapes are N images, C channels, H = W = resolution::

    dataset.json             facts, class names, and per split the shards with their sha256
    train/images-00000.npy   uint8 (N, C, H, W); points in the plane are float32 (N, 2, 1, 1), as they are
    train/labels-00000.npy   int64 (N,)
    test/...                 the same, where there is a test split
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganflow import records
from ganflow.data.prepared import checksums
from ganflow.data.prepared.row_array import Rows
from ganflow.errors import GanflowError

FORMAT = 1
MANIFEST = "dataset.json"
REPAIR = "`dvc checkout` brings it back, `dvc repro prepare` makes it anew"

IMAGES, STACKED, POINTS = "images", "stacked", "points"

Images = NDArray[np.uint8 | np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Mixture:
    """The Gaussians of equal weight that points were drawn from; the class of a point is its mode."""

    centres: tuple[tuple[float, ...], ...]  # (K, 2)
    sigma: float  # standard deviation of each, in either direction


@dataclass(frozen=True)
class Facts:
    """Facts that the data state, so that no configuration has to repeat them."""

    resolution: int  # pixels per side
    channels: int  # 1 grey, 3 RGB; of points, their coordinates
    num_classes: int  # 0: unlabelled
    kind: str = IMAGES  # images | stacked: every channel is a grey image with a class of its own | points
    mixture: Mixture | None = None  # of points

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The type of a stored value."""
        return np.dtype(np.float32 if self.kind == POINTS else np.uint8)

    def stated(self) -> dict[str, object]:
        """As plain values, without what goes without saying."""
        return {key: value for key, value in asdict(self).items() if value not in (IMAGES, None)}


class Dataset:
    """One split of a prepared data set.

    Attributes:
        facts: resolution, channels and number of classes.
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
        shape = (self.facts.channels, self.facts.resolution, self.facts.resolution)
        self.labels = Rows([root / s["labels"]["file"] for s in shards], counts, (), np.dtype(np.int64), REPAIR)
        self._images = Rows([root / s["images"]["file"] for s in shards], counts, shape, self.facts.dtype, REPAIR)

    @classmethod
    def open(cls, root: Path, split: str = "train", verify: bool = True) -> "Dataset":
        """Open one split.

        Args:
            root: the folder with ``dataset.json``.
            split: ``train`` or ``test``.
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
            entries = [shard[kind] for shard in splits[split]["shards"] for kind in ("images", "labels")]
            checksums.verify(root, {entry["file"]: entry["sha256"] for entry in entries}, _not_as_prepared)
        return dataset

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: NDArray[np.int64]) -> Images:
        """Images in the order asked for; an index may come more than once.

        Args:
            indices: (B,), each in ``[0, len(self))``.

        Returns:
            uint8 (B, C, H, W), a copy; float32 (B, 2, 1, 1) of points.

        Raises:
            IndexError: an index outside of the data set.
        """
        return self._images[indices]

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
    if (version := manifest.get("format")) != FORMAT:
        raise GanflowError(f"{path} has format version {version}, this ganflow reads {FORMAT}: prepare the data again")
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
    return {entry["file"]: entry["sha256"] for shard in shards for entry in (shard["images"], shard["labels"])}


def facts_of(manifest: dict[str, Any]) -> Facts:
    """The facts that a manifest states."""
    mixture = manifest.get("mixture")
    if mixture is not None:
        mixture = Mixture(tuple(map(tuple, mixture["centres"])), mixture["sigma"])
    kind = manifest.get("kind", IMAGES)
    return Facts(manifest["resolution"], manifest["channels"], len(manifest["classes"]), kind, mixture)


def digest_of(manifest: dict[str, Any]) -> str:
    """sha256 (hex) over facts, class names and the shards' checksums; not over the source's options."""
    what = {key: manifest[key] for key in ("format", "resolution", "channels", "classes")}
    what |= {key: manifest[key] for key in ("kind", "mixture") if key in manifest}
    what["splits"] = {
        name: [[shard["count"], shard["images"]["sha256"], shard["labels"]["sha256"]] for shard in split["shards"]]
        for name, split in manifest["splits"].items()
    }
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def _not_as_prepared(path: Path) -> GanflowError:
    return GanflowError(f"{path} does not match its checksum in {MANIFEST}; {REPAIR}")
