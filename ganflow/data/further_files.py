"""Images decoded in step with what stands beside them: what a model is given of each, or its anomalous pixels.

Shapes: B items, C channels, H rows and W columns of pixels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from ganflow.data.archives.archive import Archive, File, check_here
from ganflow.data.decoding.decode import EMPTY_MASK, LOST_MASK, Conversion, Frame, decode
from ganflow.data.decoding.formats import UnreadableImageError
from ganflow.data.decoding.source_statistics import Tally
from ganflow.data.image_files import ImageFiles, read_image
from ganflow.data.prepared.dataset import Bytes
from ganflow.data.source import Bad, Decode, Decoded, Items
from ganflow.signals.base import Shape

ANOMALOUS_ABOVE = 127  # of a mask's levels, as MVTec AD has them: 0 and 255


@dataclass(frozen=True)
class InStep:
    """Decodes items that are pairs: an image, and what has another role beside it."""

    images: Decode
    other: Decode
    role: str

    def __call__(self, items: Items) -> Decoded:
        images = self.images([image for image, _ in items])
        other = self.other([beside for _, beside in items])
        both = images.kept & other.kept
        further: Mapping[str, Bytes] = {self.role: other.images[both[other.kept]].astype(np.uint8, copy=False)}
        tally = Tally()
        tally += images.tally
        tally += other.tally
        return Decoded(images.images[both[images.kept]], both, images.bad + other.bad, tally, further)


@dataclass
class Halves(Frame):
    """Fits the left and the right half of a picture alike."""

    def fitted(self, image: Image.Image, nearest: bool = False) -> Image.Image:
        """Both halves, each cropped and resized, side by side again."""
        half = image.width // 2
        parts = [image.crop((left, 0, left + half, image.height)) for left in (0, half)]
        left, right = (super(Halves, self).fitted(part, nearest) for part in parts)
        both = Image.new(image.mode, (left.width + right.width, left.height))
        both.paste(left, (0, 0))
        both.paste(right, (left.width, 0))
        return both


@dataclass(frozen=True)
class SideBySide:
    """Decodes pictures with two halves: an image, and what a model is given of it."""

    pictures: ImageFiles  # with a frame of :class:`Halves`
    given_left: bool

    def __call__(self, items: Items) -> Decoded:
        pictures = self.pictures(items)
        left, right = np.split(pictures.images, 2, axis=3)
        given, images = (left, right) if self.given_left else (right, left)
        further: Mapping[str, Bytes] = {"given": np.ascontiguousarray(given, dtype=np.uint8)}
        return replace(pictures, images=np.ascontiguousarray(images), further=further)


@dataclass(frozen=True)
class MaskFiles:
    """Decodes masks to 1, where a pixel is anomalous, and 0; an item without a file is 0 everywhere."""

    archive: Archive
    frame: Frame
    shape: Shape  # (1, H, W)
    conversion: Conversion = field(default_factory=Conversion)

    def __call__(self, items: Items) -> Decoded:
        check_here(self.archive)
        masks, is_read = np.zeros((len(items), *self.shape), dtype=np.uint8), np.ones(len(items), dtype=bool)
        bad, tally = list[Bad](), Tally()
        for i, file in enumerate(items):
            if file is None:
                continue
            try:
                masks[i, 0] = self._mask(file, tally)
            except UnreadableImageError as error:
                bad.append(Bad(file.name, str(error)))
                is_read[i] = False
        return Decoded(masks[is_read], is_read, bad, tally)

    def _mask(self, file: File, tally: Tally) -> Bytes:
        """uint8 (H, W)."""
        levels = decode(read_image(self.archive, file), 1, Frame(), self.conversion).image
        mask = np.asarray(self.frame.fitted(levels, nearest=True)) > ANOMALOUS_ABOVE
        if not mask.any():
            tally.notes[LOST_MASK if (np.asarray(levels) > ANOMALOUS_ABOVE).any() else EMPTY_MASK] += 1
        if mask.shape != self.shape[1:]:
            raise UnreadableImageError(f"a mask of another size than its image: {levels.width}x{levels.height}")
        return mask.astype(np.uint8)
