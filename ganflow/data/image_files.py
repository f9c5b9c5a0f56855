"""Images that are files of an archive, decoded in batches.

Shapes: B images, C channels, H rows and W columns of pixels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ganflow.data.archives.archive import Archive, File, check_here, read_file
from ganflow.data.decoding.decode import MODES, Conversion, Frame, Header, decode, header
from ganflow.data.decoding.formats import UnreadableImageError
from ganflow.data.decoding.source_statistics import Tally
from ganflow.data.prepared.dataset import Facts
from ganflow.data.source import Bad, Decoded, Items
from ganflow.errors import ConfigError
from ganflow.signals.light import STANDARDISED, standardised


def headers(
    archive: Archive, images: Sequence[File], max_pixels: int, unreadable: list[str]
) -> Iterator[tuple[str, Header]]:
    """Name and header of every image whose header can be read; of the others, which and why."""
    for file in images:
        try:
            yield file.name, header(read_image(archive, file), max_pixels)
        except UnreadableImageError as error:
            unreadable.append(f"{file.name} ({error})")


@dataclass(frozen=True)
class ImageFiles:
    """Decodes a batch of files of one archive."""

    archive: Archive
    frame: Frame
    facts: Facts
    conversion: Conversion

    def __call__(self, items: Items) -> Decoded:
        check_here(self.archive)
        bad, tally, decoded = list[Bad](), Tally(), np.zeros(len(items), dtype=bool)
        channels, height, width = self.facts.shape
        tall = Image.new(MODES[channels], (width, height * len(items)))  # NumPy takes one picture faster than many
        for i, file in enumerate(items):
            try:
                picture = decode(read_image(self.archive, file), channels, self.frame, self.conversion)
            except UnreadableImageError as error:
                bad.append(Bad(file.name, str(error)))
                continue
            self._check_size(file.name, *picture.image.size)
            tall.paste(picture.image, (0, height * i))
            tally.add(picture)
            decoded[i] = True
        pixels = np.asarray(tall, dtype=np.uint8).reshape(len(items), height, width, channels)
        images = np.ascontiguousarray(pixels[decoded].transpose(0, 3, 1, 2))
        images = standardised(images) if self.facts.light == STANDARDISED else images
        return Decoded(images, decoded, bad, tally)

    def _check_size(self, name: str, width: int, height: int) -> None:
        _, *first = self.facts.shape
        if [height, width] != first:
            hint = f"{name} is {width}x{height}, the first image {first[1]}x{first[0]}; set data.resize (and data.crop)"
            raise ConfigError("data.resize", 0, f"leaves images of mixed sizes: {hint}")


def read_image(archive: Archive, file: File) -> bytes:
    """The bytes of one image.

    Raises:
        UnreadableImageError: they cannot be read.
    """
    try:
        return read_file(archive, file)
    except OSError as error:
        raise UnreadableImageError(str(error)) from None
