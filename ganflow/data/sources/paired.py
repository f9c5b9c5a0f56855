"""Pairs of images: one to restore or translate, and the one that it should become (pix2pix: Isola et al., 2017)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganflow.config.components import component
from ganflow.data.archives.archive import Archive, File
from ganflow.data.archives.filenames import check_encoding
from ganflow.data.decoding.ranges import Ranges
from ganflow.data.further_files import Halves, InStep, SideBySide
from ganflow.data.layout.layout import check_share
from ganflow.data.layout.pair_folders import Pair, PairedSplit, arrange_pairs
from ganflow.data.prepared.dataset import Facts
from ganflow.data.source import Content, Decode, Split, Understood, hold_out, recipe_of
from ganflow.data.sources.pair_shapes import halved, pair_shapes
from ganflow.data.sources.picture_options import OpenedPictures, PictureOptions
from ganflow.errors import ConfigError, GanflowError, require
from ganflow.signals.base import Shape

DIRECTIONS = ("AtoB", "BtoA")


@component("source", "paired")
@dataclass
class Paired(PictureOptions):
    """``A/…`` and ``B/…`` with files of the same names, also below ``train/`` and ``test/``; or pictures with both."""

    side_by_side: bool = False  # A is the left half of every picture, B the right one
    direction: str = "AtoB"  # AtoB | BtoA: of which a model is given, and which it is to make
    test_share: float = 0.1  # of the pairs, held out when there is no test folder
    encoding: str = ""  # of file names that are not UTF-8, such as cp932; empty: cp437 in a zip, else latin-1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.direction in DIRECTIONS, "direction", self.direction, f"one of {', '.join(DIRECTIONS)}")
        check_share(self.test_share)
        check_encoding(self.encoding)

    def read(self, root: Path, scratch: Path) -> Content:
        """List the pairs, and read all headers, so that sizes that do not go together are known before decoding.

        Raises:
            GanflowError: no images, a damaged archive, a file without a partner, or sizes that do not go together.
        """
        opened = self.opened(root, scratch, self.encoding)
        try:
            splits = arrange_pairs(opened.names, self.side_by_side, opened.ignored)
        except GanflowError as error:
            raise ConfigError("data.path", self.path, str(error)) from None
        image, given = self._shapes(opened, [pair for split in splits.values() for pair in split.pairs])
        facts = Facts(image, 0, given=given)
        if "test" not in splits and self.test_share:
            splits = self._held_out(splits["train"])

        def content(ranges: Ranges) -> Content:
            decode = self._decode(opened.archive, facts, ranges)
            return Content(
                facts=facts,
                classes=[],
                splits={name: self._split(split, opened.images, decode) for name, split in splits.items()},
                recipe=recipe_of("paired", self),
                skip_bad=self.skip_bad,
                ignored=dict(sorted(opened.ignored.items())),
                understood=self._understood(splits, opened.warnings),
                ranges=ranges,
            )

        return self.ranged(content)

    @property
    def given_is_a(self) -> bool:
        """True where a model is given A, of which it makes B."""
        return self.direction == "AtoB"

    def _shapes(self, opened: OpenedPictures, pairs: Sequence[Pair]) -> tuple[Shape, Shape]:
        """The shapes of an image and of what is given, by all headers."""
        ends = [tuple(opened.images[i] for i in self._ends(pair)) for pair in pairs]
        files = sorted({file for pair in ends for file in pair})
        headers = self.all_headers(opened.archive, files)
        if self.side_by_side:
            headers = halved(headers)
        return pair_shapes(self, headers, [(image.name, given.name) for image, given in ends])

    def _ends(self, pair: Pair) -> tuple[int, int]:
        """The positions of the image and of what is given of it."""
        return (pair.b, pair.a) if self.given_is_a else (pair.a, pair.b)

    def _held_out(self, train: PairedSplit) -> dict[str, PairedSplit]:
        pairs = train.pairs
        held = hold_out(np.zeros(len(pairs), dtype=np.int64), [pair.key for pair in pairs], self.test_share)
        splits = {"train": replace(train, pairs=[pair for pair, out in zip(pairs, held, strict=True) if not out])}
        test = [pair for pair, out in zip(pairs, held, strict=True) if out]
        return {**splits, "test": PairedSplit(test, f"{self.test_share:.3g} of the pairs")} if test else splits

    def _split(self, split: PairedSplit, images: Sequence[File], decode: Decode) -> Split:
        if self.side_by_side:
            items: list[object] = [images[pair.a] for pair in split.pairs]
        else:
            items = [tuple(images[i] for i in self._ends(pair)) for pair in split.pairs]
        return Split(items, np.zeros(len(items), dtype=np.int64), decode)

    def _decode(self, archive: Archive, facts: Facts, ranges: Ranges) -> Decode:
        if not self.side_by_side:
            assert facts.given is not None
            given = self.decoder(archive, Facts(facts.given, 0), ranges)
            return InStep(self.decoder(archive, facts, ranges), given, "given")
        channels, height, width = facts.shape
        pictures = self.decoder(archive, Facts((channels, height, 2 * width), 0), ranges)
        return SideBySide(
            replace(pictures, frame=Halves(self.resize, self.crop, self.filter)), given_left=self.given_is_a
        )

    def _understood(self, splits: Mapping[str, PairedSplit], warnings: list[str]) -> Understood:
        way = "A is given, B is to be made" if self.given_is_a else "B is given, A is to be made"
        return Understood({name: split.origin for name, split in splits.items()}, f"pairs: {way}", warnings)
