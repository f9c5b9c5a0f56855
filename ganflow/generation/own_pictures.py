"""Pictures of a user's own: image files with what is transparent in them, one or all of a folder or archive."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from ganflow import storage
from ganflow.data.archives.archive import Archive, File, FolderArchive, list_files, read_file
from ganflow.data.archives.filenames import is_image
from ganflow.data.archives.open_archive import open_source
from ganflow.data.decoding.decode import Conversion, Frame, decode
from ganflow.data.decoding.formats import MAX_PIXELS, UnreadableImageError
from ganflow.data.image_files import headers
from ganflow.data.layout.layout import usable
from ganflow.errors import GanflowError, require
from ganflow.signals.image_grid import Images

OPAQUE = 128  # of 255, from which on a pixel counts as there
NAMED = 5  # files in one error line
AS_IT_IS = Frame()

CheckSize = Callable[[str, int, int], None]  # name, width, height


class OwnPicture(NamedTuple):
    """Pixels uint8 (H, W, C); transparent bool (H, W), None where the file has no transparency."""

    pixels: Images
    transparent: npt.NDArray[np.bool_] | None


def read_picture(raw: bytes, channels: int, max_pixels: int = MAX_PIXELS, frame: Frame = AS_IT_IS) -> OwnPicture:
    """Decode an image file.

    Args:
        raw: its bytes.
        channels: 1 for grey, 3 for RGB.
        max_pixels: a larger image is not decoded.
        frame: crop and resize.

    Raises:
        UnreadableImageError: it is not an image, is damaged or too large.
    """
    picture = decode(raw, channels, frame, Conversion(max_pixels=max_pixels))
    pixels = np.array(picture.pixels.transpose(1, 2, 0), dtype=np.uint8, order="C")  # Pillow's own cannot be written
    with Image.open(io.BytesIO(raw)) as image:
        alpha = np.asarray(image.convert("RGBA"))[..., 3] if image.has_transparency_data else None
    fits = alpha is not None and alpha.shape == pixels.shape[:2]  # a picture turned upright by EXIF has none
    return OwnPicture(pixels, alpha < OPAQUE if alpha is not None and fits else None)


@dataclass(frozen=True)
class OwnPictures:
    """The images of a folder or archive, or one image.

    Attributes:
        archive: where they are.
        files: by name.
        channels: that they are read with: 1 grey, 3 RGB.
        frame: crop and resize.
    """

    archive: Archive
    files: list[File]
    channels: int
    frame: Frame = field(default_factory=Frame)

    @classmethod
    def of(cls, source: str, scratch: Path, channels: int, check: CheckSize, frame: Frame = AS_IT_IS) -> "OwnPictures":
        """List the images and look at each one's header.

        Args:
            source: a folder, zip, tar or one image, local or on S3.
            scratch: an empty folder that lives as long as this is used.
            channels: that they are read with.
            check: refuses sizes.
            frame: crop and resize.

        Raises:
            GanflowError: there are none, or some cannot be read.
        """
        path = storage.localize(source, scratch) if storage.is_remote(source) else storage.local_path(source)
        require(path.exists(), "source", source, "no such file or folder; give images, local or on S3")
        archive, files = _listed(path, scratch)
        require(bool(files), "source", source, "holds no images")
        unreadable: list[str] = []
        for name, header in headers(archive, files, MAX_PIXELS, unreadable):
            check(name, header.width, header.height)
        if unreadable:
            raise GanflowError(f"{len(unreadable):,} unreadable: {', '.join(unreadable[:NAMED])}")
        return cls(archive, files, channels, frame)

    def targets(self) -> list[str]:
        """The name of the PNG that each image becomes.

        Raises:
            ConfigError: two images would become one.
        """
        names = [PurePosixPath(file.name).with_suffix(".png").as_posix() for file in self.files]
        twice = next((name for name in names if names.count(name) > 1), "") if len(set(names)) < len(names) else ""
        require(not twice, "source", twice, "would be made of two images, whose names differ by their ending alone")
        return names

    def read(self, file: File) -> OwnPicture:
        """One of them."""
        try:
            return read_picture(read_file(self.archive, file), self.channels, frame=self.frame)
        except (OSError, UnreadableImageError) as error:
            raise GanflowError(f"{file.name} cannot be read: {error}") from None


@dataclass(frozen=True)
class OwnMasks:
    """Pictures that are white where the pixels of an image of the same name are hidden."""

    archive: Archive
    by_stem: dict[str, File]

    @classmethod
    def of(cls, masks: str, pictures: OwnPictures) -> "OwnMasks":
        """The masks of all the images.

        Raises:
            ConfigError: no such folder, or an image without a mask.
        """
        path = storage.local_path(masks)
        require(path.is_dir(), "masks", masks, "no such folder")
        archive = FolderArchive(path)
        by_stem = {_stem(file.name): file for file in archive.listing().files}
        lacking = [file.name for file in pictures.files if _stem(file.name) not in by_stem]
        missing = f"has no mask of {', '.join(lacking[:NAMED])}; a mask has the image's name, or that and _mask"
        require(not lacking, "masks", masks, missing)
        return cls(archive, by_stem)

    def read(self, file: File, pixels: Images) -> npt.NDArray[np.bool_]:
        """The mask (H, W) of an image.

        Raises:
            GanflowError: it cannot be read, or has another size.
        """
        mask = self.by_stem[_stem(file.name)]
        try:
            white: npt.NDArray[np.bool_] = decode(read_file(self.archive, mask), 1, AS_IT_IS).pixels[0] > 127
        except (OSError, UnreadableImageError) as error:
            raise GanflowError(f"{mask.name} cannot be read: {error}") from None
        sizes = [f"{array.shape[1]}x{array.shape[0]}" for array in (white, pixels)]
        require(white.shape == pixels.shape[:2], mask.name, sizes[0], f"must be {sizes[1]}, as {file.name}")
        return white


def _listed(path: Path, scratch: Path) -> tuple[Archive, list[File]]:
    if path.is_file() and is_image(path.name):
        return FolderArchive(path.parent), [File(path.name, path.name)]
    archive = open_source(path, scratch)
    files = list_files(archive, path).files
    used, _ = usable([file.name for file in files])
    return archive, [files[i] for i in used]


def _stem(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix().removesuffix("_mask")
