"""Images in a folder, a zip or a tar; other files of it or the sub-folder state the class."""

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ganflow.config.components import component
from ganflow.data.archives.archive import Archive, File
from ganflow.data.archives.filenames import check_encoding
from ganflow.data.decoding.ranges import Ranges
from ganflow.data.layout import labels, splits
from ganflow.data.layout.layout import AUTO, LABELS, Layout, Reading, arrange, check_share
from ganflow.data.normal_classes import NormalClasses
from ganflow.data.prepared.dataset import Facts
from ganflow.data.source import Content, Split, recipe_of
from ganflow.data.sources.picture_options import PictureOptions
from ganflow.errors import ConfigError, GanflowError, require


@component("source", "image_folder")
@dataclass
class ImageFolder(NormalClasses, PictureOptions):
    """``train/<class>/…`` with ``test/<class>/…`` (or val/, valid/), or ``<class>/…``, or just images."""

    test_share: float = 0.1  # held out of every class when there is no test folder
    labels: str = AUTO  # auto: dataset.json, .cls or .json files, else folders | folders: by these alone | none
    splits: dict[str, Any] = field(default_factory=lambda: dict.fromkeys(("train", "test"), ""))  # FOLDER, a list, or .
    test: str = ""  # the folder of the test split where there are several, such as val; none: hold test_share out
    encoding: str = ""  # of file names that are not UTF-8, such as cp932; empty: cp437 in a zip, else latin-1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.labels in LABELS, "labels", self.labels, f"one of {', '.join(LABELS)}")
        check_share(self.test_share)
        check_encoding(self.encoding)
        self.check_normal()
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
        opened = self.opened(root, scratch, self.encoding)
        archive, images, ignored = opened.archive, opened.images, opened.ignored
        layout = self._arrange(archive, opened.files, images, ignored)
        facts = Facts(self.measured(archive, images), len(layout.classes))
        warnings = [*opened.warnings, *layout.understood.warnings]

        def content(ranges: Ranges) -> Content:
            decode = self.decoder(archive, facts, ranges)
            return Content(
                facts=facts,
                classes=layout.classes,
                splits={
                    name: Split([images[i] for i in at], numbers, decode)
                    for name, (at, numbers) in layout.splits.items()
                },
                recipe=recipe_of("image_folder", self),
                skip_bad=self.skip_bad,
                ignored=dict(sorted(ignored.items())),
                understood=replace(layout.understood, warnings=warnings),
                ranges=ranges,
            )

        return self.detection(self.ranged(content))

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
