"""Squares cut out of larger images: what restoration is trained on, whose images have sizes of their own."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ganflow.config.components import component
from ganflow.data.archives.archive import Archive, File, check_here
from ganflow.data.archives.filenames import check_encoding
from ganflow.data.decoding.decode import Conversion, Frame, Header, decode, to_chw
from ganflow.data.decoding.formats import UnreadableImageError
from ganflow.data.decoding.ranges import Ranges
from ganflow.data.decoding.source_statistics import Tally
from ganflow.data.image_files import read_image
from ganflow.data.layout.layout import Reading, arrange, check_share
from ganflow.data.prepared.dataset import Bytes, Facts
from ganflow.data.source import Bad, Content, Decoded, Items, Split, recipe_of
from ganflow.data.sources.picture_options import PictureOptions
from ganflow.errors import require
from ganflow.signals.base import Shape

SMALLER = "smaller than a tile"


class Tile(NamedTuple):
    """A square of an image: the row and the column of its first pixel."""

    file: File
    top: int
    left: int


@dataclass(frozen=True)
class Tiles:
    """Decodes tiles; those of one image that follow one another by one decoding."""

    archive: Archive
    frame: Frame
    shape: Shape
    conversion: Conversion

    def __call__(self, items: Items) -> Decoded:
        check_here(self.archive)
        bad, tally, readable = list[Bad](), Tally(), np.zeros(len(items), dtype=bool)
        channels, side, _ = self.shape
        tiles = np.empty((len(items), *self.shape), np.uint8)
        name, pixels = "", tiles[:0]
        for i, (file, top, left) in enumerate(items):
            if file.name != name:
                name, pixels = file.name, self._decoded(file, channels, bad, tally)
            if len(pixels):
                tiles[i], readable[i] = pixels[0, :, top : top + side, left : left + side], True
        return Decoded(tiles[readable], readable, bad, tally)

    def _decoded(self, file: File, channels: int, bad: list[Bad], tally: Tally) -> Bytes:
        """One image (1, C, H, W); of one that cannot be read, none."""
        try:
            picture = decode(read_image(self.archive, file), channels, self.frame, self.conversion)
        except UnreadableImageError as error:
            bad.append(Bad(file.name, str(error)))
            return np.empty((0, *self.shape), np.uint8)
        tally.add(picture)
        return to_chw(picture.image)[None].astype(np.uint8, copy=False)


@component("source", "image_tiles")
@dataclass
class ImageTiles(PictureOptions):
    """Every image of a folder, zip or tar in squares of ``tile`` pixels; images of any size go together.

    A share of the images, not of the tiles, is held out, so that no image is in both splits. resize and crop come
    first.
    """

    tile: int = 96  # pixels per side
    stride: int = 0  # from one tile to the next; 0: as many as a tile has, so that none overlap
    test_share: float = 0.1  # of the images, when there is no test folder
    encoding: str = ""  # of file names that are not UTF-8, such as cp932; empty: cp437 in a zip, else latin-1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.tile > 0, "tile", self.tile, "must be at least 1")
        require(self.stride >= 0, "stride", self.stride, "0 (as a tile), or at least 1")
        check_share(self.test_share)
        check_encoding(self.encoding)

    def read(self, root: Path, scratch: Path) -> Content:
        """List the images, read all headers, and cut.

        Raises:
            GanflowError: no images, a damaged archive, or a split without an image as large as a tile.
        """
        opened = self.opened(root, scratch, self.encoding)
        sizes = self.all_headers(opened.archive, opened.images)
        channels = self.channels or (1 if all(header.grey for header in sizes.values()) else 3)
        shape, ignored = (channels, self.tile, self.tile), Counter(opened.ignored)
        images = [image for image in opened.images if self._holds_tile(sizes.get(image.name))]
        ignored += Counter({SMALLER: len(opened.images) - len(images)})
        require(bool(images), "data.tile", self.tile, "no image is as large; set a smaller tile")
        layout = arrange([image.name for image in images], Reading(self.test_share, "none", {}, ""), ignored, None)
        tiles = {split: self._cut([images[i] for i in at], sizes) for split, (at, _) in layout.splits.items()}

        def content(ranges: Ranges) -> Content:
            conversion = Conversion(self.background, self.max_pixels, ranges)
            decode_tiles = Tiles(opened.archive, self.frame, shape, conversion)
            return Content(
                facts=Facts(shape, 0),
                classes=[],
                splits={split: Split(cut, np.zeros(len(cut), np.int64), decode_tiles) for split, cut in tiles.items()},
                recipe=recipe_of("image_tiles", self),
                skip_bad=self.skip_bad,
                ignored=dict(sorted(ignored.items())),
                understood=replace(layout.understood, labels="none: tiles have no class", warnings=opened.warnings),
                ranges=ranges,
            )

        return self.ranged(content)

    def _holds_tile(self, header: Header | None) -> bool:
        """True of an image as large as a tile, and of one that cannot be read, which is to be named."""
        return header is None or min(self._size(header)) >= self.tile

    def _size(self, header: Header | None) -> tuple[int, int]:
        """Height and width after resize and crop."""
        _, height, width = self.shape(1, header.width, header.height) if header else (1, self.tile, self.tile)
        return height, width

    def _cut(self, images: Sequence[File], sizes: Mapping[str, Header]) -> list[Tile]:
        cut: list[Tile] = []
        for image in images:
            height, width = self._size(sizes.get(image.name))
            cut += [Tile(image, top, left) for top in self._firsts(height) for left in self._firsts(width)]
        return cut

    def _firsts(self, side: int) -> Iterator[int]:
        """The first pixel of each tile along a side; what is left over is shared by both ends."""
        stride = self.stride or self.tile
        number = (side - self.tile) // stride + 1
        start = (side - self.tile - (number - 1) * stride) // 2
        return (start + i * stride for i in range(number))
