"""The interface of a source of images. A new one is one file in :mod:`ganflow.data.sources` and no edit elsewhere.

A source is a component (group ``source``) with a ``path`` and a ``read``. ``read`` looks, it does not decode: it
returns a :class:`Content`, whose facts are known before any work starts. Shapes: B images, C channels,
H rows and W columns of pixels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from itertools import compress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganflow.data.decoding.decode import Frame, to_chw
from ganflow.data.decoding.ranges import Ranges
from ganflow.data.decoding.source_statistics import Tally
from ganflow.data.prepared.dataset import Bytes, Facts, Images, Labels
from ganflow.errors import require

WATCHED = "path"  # names the stage source@path of dvc.yaml and its stamp


@dataclass(frozen=True)
class Bad:
    """An image that could not be read."""

    file: str  # relative to the source's path
    why: str


@dataclass(frozen=True)
class Decoded:
    """A batch of items, decoded."""

    images: Images  # (B', C, H, W) of the facts' type, in the order of the items
    kept: NDArray[np.bool_]  # (B,): which items they come from; B' of them hold
    bad: list[Bad] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)  # of the images that were files
    further: Mapping[str, Bytes] = field(default_factory=dict)  # what stands beside the images, by role, in step


Items = Sequence[Any] | NDArray[np.generic]
Decode = Callable[[Items], Decoded]


@dataclass(frozen=True)
class Split:
    """The items of one split in the order of the data set, not yet decoded."""

    items: Items  # what ``decode`` takes slices of: locators, or pixels that need no decoding
    labels: Labels  # int64 (N,), zeros when unlabelled
    decode: Decode  # picklable, because it may run in another process

    def part(self, of: NDArray[np.bool_]) -> "Split":
        """The items for which ``of`` (N,) holds."""
        items = self.items[of] if isinstance(self.items, np.ndarray) else list(compress(self.items, of))
        return replace(self, items=items, labels=self.labels[of])


@dataclass(frozen=True)
class Understood:
    """The way a source was read, in words for the line and the report with which ``prepare`` ends."""

    splits: dict[str, str] = field(default_factory=dict)  # "train", "test" → where from, such as "Train/"
    labels: str = ""  # what gave the labels, such as "folders" or "dataset.json"; or why there are none
    warnings: list[str] = field(default_factory=list)  # sentences about what the user may not expect


@dataclass(frozen=True)
class Content:
    """The contents of a source."""

    facts: Facts  # of the images as they will be written
    classes: list[str]  # empty when unlabelled
    splits: dict[str, Split]  # "train", "test" where there is one, "held_out" of data for detection
    recipe: dict[str, object]  # the source's name and its options except the path
    skip_bad: bool = False  # leave unreadable images out instead of failing
    ignored: dict[str, int] = field(default_factory=dict)  # files that are not images of this data set, by kind
    understood: Understood = field(default_factory=Understood)
    ranges: Ranges = field(default_factory=Ranges)  # of images with more than 8 bits
    with_ranges: "Callable[[Ranges], Content] | None" = None  # this content, decoded by other ranges


class Source(Protocol):
    """A component of the group ``source``."""

    @property
    def path(self) -> str:
        """The place of the images: a local path or ``s3://…``; empty for a source that needs none."""

    @property
    def costly(self) -> bool:
        """Decoding takes long enough that many images are decoded in parallel."""

    def read(self, root: Path, scratch: Path) -> Content:
        """Look at the source.

        Args:
            root: ``path`` on this machine.
            scratch: an empty folder that lives until the data set is written.

        Raises:
            GanflowError: the source is empty, damaged or contradicts itself.
        """


@dataclass(frozen=True)
class Pixels:
    """Decodes items that are pixels already: uint8 (B, H, W)."""

    frame: Frame

    def __call__(self, items: Items) -> Decoded:
        pixels = np.asarray(items, dtype=np.uint8)
        if self.frame.resize or self.frame.crop:
            pixels = np.stack([to_chw(self.frame.fitted(Image.fromarray(p)))[0] for p in pixels])
        return Decoded(pixels[:, None], np.ones(len(pixels), dtype=bool))


def watch_path() -> list[str]:
    """The default of ``data.watch`` for a source with a path: `dvc repro` looks whether it changed."""
    return [WATCHED]


def watch_nothing() -> list[str]:
    """The default of ``data.watch`` for a source without a path."""
    return []


def check_watch(watch: list[str], default: Callable[[], list[str]]) -> None:
    """Refuse another ``watch`` than the source's default or an empty list."""
    allowed = " or ".join(sorted({str(default()), "[]"}))
    require(watch in (default(), []), "watch", watch, f"{allowed}: what `dvc repro` looks at before it prepares")


def recipe_of(name: str, source: Any) -> dict[str, object]:
    """A source's name and those of its options (a dataclass) that say what its images become."""
    return {"name": name, **{key: value for key, value in asdict(source).items() if key not in ("path", "watch")}}


def hold_out(labels: Labels, names: Sequence[str], share: float) -> NDArray[np.bool_]:
    """Items that are held out for testing: ``share`` of every class, and at least one stays.

    The choice is by a hash of the names, so it depends on no generator and adding images moves few others.

    Args:
        labels: (N,).
        names: N distinct names.
        share: in [0, 1).

    Returns:
        bool (N,).
    """
    keys = [sha256(name.encode("utf-8", "surrogateescape")).digest() for name in names]
    held = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = sorted(np.flatnonzero(labels == label), key=lambda i: keys[i])
        held[members[: min(round(share * len(members)), len(members) - 1)]] = True
    return held
