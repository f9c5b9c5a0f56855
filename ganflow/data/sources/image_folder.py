"""Images in a folder, a zip or a tar; other files of it or the sub-folder state the class."""

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from ganflow.config.components import component
from ganflow.data.archives.archive import Archive, File, list_files
from ganflow.data.archives.filenames import check_encoding
from ganflow.data.archives.open_archive import open_source
from ganflow.data.decoding.decode import BACKGROUNDS, REFUSE, Conversion, Frame
from ganflow.data.decoding.formats import MAX_PIXELS
from ganflow.data.decoding.ranges import Ranges, check_range
from ganflow.data.image_files import ImageFiles, headers
from ganflow.data.layout import labels, splits
from ganflow.data.layout.layout import AUTO, LABELS, Layout, Reading, arrange, check_share, usable
from ganflow.data.prepared.dataset import Facts
from ganflow.data.source import Content, Split, check_watch, recipe_of, watch_path
from ganflow.errors import ConfigError, GanflowError, require

OUTCOMES = ("error", "skip")


@component("source", "image_folder")
@dataclass
class ImageFolder(Frame):
    """``train/<class>/…`` with ``test/<class>/…`` (or val/, valid/), or ``<class>/…``, or just images."""

    path: str = ""  # the folder, zip or tar, or a folder of those; local or s3://
    channels: int = 0  # 1 grey, 3 RGB; 0: 1 if the headers of all images say grey, else 3
    on_bad_image: str = "error"  # error | skip: leave unreadable images out and list them in the report
    range: Any = AUTO  # of pixels with more than 8 bits: auto | WHITE | [BLACK, WHITE]; docs/data.md
    background: str = "white"  # white | black | refuse: under transparent pixels
    max_pixels: int = MAX_PIXELS  # of an image; a larger one is not decoded
    test_share: float = 0.1  # held out of every class when there is no test folder
    labels: str = AUTO  # auto: dataset.json, .cls or .json files, else folders | folders: by these alone | none
    splits: dict[str, Any] = field(default_factory=lambda: dict.fromkeys(("train", "test"), ""))  # FOLDER, a list, or .
    test: str = ""  # the folder of the test split where there are several, such as val; none: hold test_share out
    watch: list[str] = field(default_factory=watch_path)  # [path]: `dvc repro` sees that it changed; []: it does not
    encoding: str = ""  # of file names that are not UTF-8, such as cp932; empty: cp437 in a zip, else latin-1
    costly: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.path), "path", self.path, "must name a folder, zip or tar of images, local or s3://")
        require(self.channels in (0, 1, 3), "channels", self.channels, "1 (grey), 3 (RGB) or 0 (what the images are)")
        require(self.on_bad_image in OUTCOMES, "on_bad_image", self.on_bad_image, f"one of {', '.join(OUTCOMES)}")
        require(self.labels in LABELS, "labels", self.labels, f"one of {', '.join(LABELS)}")
        grounds = [*BACKGROUNDS, REFUSE]
        require(self.background in grounds, "background", self.background, f"one of {', '.join(grounds)}")
        require(self.max_pixels > 0, "max_pixels", self.max_pixels, "must be at least 1")
        check_range(self.range)
        check_share(self.test_share)
        check_watch(self.watch, watch_path)
        check_encoding(self.encoding)
        self._reading = Reading(self.test_share, self.labels, splits.checked(self.splits), self.test)
        both = bool(self._reading.splits and self.test)
        require(
            not both, "test", self.test, "data.splits says already which folder is the test split; drop one of both"
        )

    def read(self, root: Path, scratch: Path) -> Content:
        """List the images, find splits and labels, and read headers until size and colour are known.

        Raises:
            GanflowError: no images, a damaged archive, or folders that do not tell which class an image has.
        """
        archive = open_source(root, scratch, self.encoding)
        listing = list_files(archive, root)
        used, ignored = usable([file.name for file in listing.files])
        if not used:
            left_out = ", ".join(f"{n} {kind}" for kind, n in sorted(ignored.items())) or "no files at all"
            raise ConfigError("data.path", self.path, f"holds no images ({left_out})")
        images = [listing.files[i] for i in used]
        layout = self._arrange(archive, listing.files, images, ignored)
        facts = self._facts(archive, images, len(layout.classes))
        warnings = [*listing.warnings, *layout.understood.warnings]
        content = Content(
            facts=facts,
            classes=layout.classes,
            splits={
                name: Split([images[i] for i in at], numbers, self._job(archive, facts, Ranges(self.range)))
                for name, (at, numbers) in layout.splits.items()
            },
            recipe=recipe_of("image_folder", self),
            skip_bad=self.on_bad_image == "skip",
            ignored=dict(sorted(ignored.items())),
            understood=replace(layout.understood, warnings=warnings),
            ranges=Ranges(self.range),
        )

        def with_ranges(ranges: Ranges) -> Content:
            job = self._job(archive, facts, ranges)
            splits = {name: replace(split, decode=job) for name, split in content.splits.items()}
            return replace(content, splits=splits, ranges=ranges)

        return replace(content, with_ranges=with_ranges)

    def _job(self, archive: Archive, facts: Facts, ranges: Ranges) -> ImageFiles:
        frame = Frame(self.resize, self.crop, self.filter)
        return ImageFiles(archive, frame, facts, Conversion(self.background, self.max_pixels, ranges))

    def _arrange(self, archive: Archive, files: list[File], images: list[File], ignored: Counter[str]) -> Layout:
        try:
            stated = labels.stated(archive, files, images) if self.labels == AUTO else None
            layout = arrange([file.name for file in images], self._reading, ignored, stated)
        except ConfigError:
            raise
        except GanflowError as error:
            raise ConfigError("data.path", self.path, str(error)) from None
        if stated is None:
            return layout
        for name in stated.used:
            ignored[os.path.splitext(name)[1].lower()] -= 1
        ignored += Counter()  # drops what is zero
        if not stated.missing:
            return layout
        count = "1 image that is" if len(stated.missing) == 1 else f"{len(stated.missing):,} images that are"
        missing = f"{stated.where} lists {count} not there, such as {stated.missing[0]}"
        if self.on_bad_image != "skip":
            raise ConfigError("data.path", self.path, f"{missing}; data.on_bad_image=skip goes on without them")
        warnings = [*layout.understood.warnings, missing]
        return replace(layout, understood=replace(layout.understood, warnings=warnings))

    def _facts(self, archive: Archive, images: list[File], num_classes: int) -> Facts:
        unreadable: list[str] = []
        readable = headers(archive, images, self.max_pixels, unreadable)
        _, first = next(readable, ("", None))
        if first is None:
            raise ConfigError("data.path", self.path, f"none of its {len(images)} images can be read: {unreadable[0]}")
        colour = not first.grey or (not self.channels and any(not h.grey for _, h in readable))
        return Facts(self.shape(self.channels or (3 if colour else 1), first.width, first.height), num_classes)
