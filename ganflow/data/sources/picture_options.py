"""The options and the first steps of sources whose images are files of a folder, zip or tar."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from ganflow.data.archives.archive import Archive, File, list_files
from ganflow.data.archives.open_archive import open_source
from ganflow.data.decoding.decode import BACKGROUNDS, REFUSE, Conversion, Frame, Header
from ganflow.data.decoding.formats import MAX_PIXELS
from ganflow.data.decoding.ranges import AUTO, Ranges, check_range
from ganflow.data.image_files import ImageFiles, headers
from ganflow.data.layout.layout import usable
from ganflow.data.prepared.dataset import Facts
from ganflow.data.source import Content, check_watch, watch_path
from ganflow.errors import ConfigError, require
from ganflow.signals.base import Shape

OUTCOMES = ("error", "skip")


@dataclass(frozen=True)
class OpenedPictures:
    """An archive and its images, none of them read."""

    archive: Archive
    files: list[File]  # all of it
    images: list[File]
    ignored: Counter[str]  # of the others, by kind
    warnings: list[str]

    @property
    def names(self) -> list[str]:
        """The names of the images."""
        return [image.name for image in self.images]


@dataclass
class PictureOptions(Frame):
    """The place of the images and the way from files to pixels."""

    path: str = ""  # the folder, zip or tar, or a folder of those; local or s3://
    channels: int = 0  # 1 grey, 3 RGB; 0: 1 if the headers of all images say grey, else 3
    on_bad_image: str = "error"  # error | skip: leave unreadable images out and list them in the report
    range: Any = AUTO  # of pixels with more than 8 bits: auto | WHITE | [BLACK, WHITE]; docs/data.md
    background: str = "white"  # white | black | refuse: under transparent pixels
    max_pixels: int = MAX_PIXELS  # of an image; a larger one is not decoded
    watch: list[str] = field(default_factory=watch_path)  # [path]: `dvc repro` sees that it changed; []: it does not
    costly: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.path), "path", self.path, "must name a folder, zip or tar of images, local or s3://")
        require(self.channels in (0, 1, 3), "channels", self.channels, "1 (grey), 3 (RGB) or 0 (what the images are)")
        require(self.on_bad_image in OUTCOMES, "on_bad_image", self.on_bad_image, f"one of {', '.join(OUTCOMES)}")
        grounds = [*BACKGROUNDS, REFUSE]
        require(self.background in grounds, "background", self.background, f"one of {', '.join(grounds)}")
        require(self.max_pixels > 0, "max_pixels", self.max_pixels, "must be at least 1")
        check_range(self.range)
        check_watch(self.watch, watch_path)

    @property
    def frame(self) -> Frame:
        """The way to one size, by itself."""
        return Frame(self.resize, self.crop, self.filter)

    @property
    def skip_bad(self) -> bool:
        """True where unreadable images are left out."""
        return self.on_bad_image == "skip"

    def opened(self, root: Path, scratch: Path, encoding: str) -> OpenedPictures:
        """List the images.

        Raises:
            GanflowError: a damaged archive, or one without images.
        """
        archive = open_source(root, scratch, encoding)
        listing = list_files(archive, root)
        used, ignored = usable([file.name for file in listing.files])
        if not used:
            left_out = ", ".join(f"{n} {kind}" for kind, n in sorted(ignored.items())) or "no files at all"
            raise ConfigError("data.path", self.path, f"holds no images ({left_out})")
        return OpenedPictures(archive, listing.files, [listing.files[i] for i in used], ignored, list(listing.warnings))

    def measured(self, archive: Archive, images: Sequence[File]) -> Shape:
        """The shape of the images, by headers: all of them only until one has colour.

        Raises:
            ConfigError: none can be read.
        """
        unreadable: list[str] = []
        readable = headers(archive, images, self.max_pixels, unreadable)
        _, first = next(readable, ("", None))
        if first is None:
            raise self.all_unreadable(unreadable)
        colour = not first.grey or (not self.channels and any(not h.grey for _, h in readable))
        return self.shape(self.channels or (3 if colour else 1), first.width, first.height)

    def all_headers(self, archive: Archive, images: Sequence[File]) -> dict[str, Header]:
        """The header of every image by its name, without those that cannot be read.

        Raises:
            ConfigError: none can be read.
        """
        unreadable: list[str] = []
        by_name = dict(headers(archive, images, self.max_pixels, unreadable))
        if not by_name:
            raise self.all_unreadable(unreadable)
        return by_name

    def all_unreadable(self, unreadable: Sequence[str]) -> ConfigError:
        """The refusal of images of which none can be read."""
        return ConfigError("data.path", self.path, f"none of its {len(unreadable)} images can be read: {unreadable[0]}")

    def decoder(self, archive: Archive, facts: Facts, ranges: Ranges) -> ImageFiles:
        """The way from files to images of these facts."""
        return ImageFiles(archive, self.frame, facts, Conversion(self.background, self.max_pixels, ranges))

    def ranged(self, content: Callable[[Ranges], Content]) -> Content:
        """The content by ``range``, which knows how it would be by other ranges."""
        return replace(content(Ranges(self.range)), with_ranges=content)
