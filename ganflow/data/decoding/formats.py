"""The image formats that are read, and what another file is called.

Pillow alone would try every format that it knows, and hand PostScript to Ghostscript.
"""

import contextlib
import io
import warnings
from collections.abc import Iterator

from PIL import Image, ImageFile, UnidentifiedImageError

# TGA comes last, because its files begin with no mark of their own.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "AVIF", "PPM", "JPEG2000", "TGA")
MAX_PIXELS = 100_000_000

# The first bytes of files that are often called images.
_MARKS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%!", "a PostScript program"),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript program"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\xd7\xcd\xc6\x9a", "a Windows metafile"),
    (40, b" EMF", "a Windows metafile"),
    (0, b"SIMPLE  =", "a FITS file"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (128, b"DICM", "a DICOM file"),
    (0, b"8BPS", "a Photoshop document"),
    (4, b"ftyphei", "an HEIC image"),
    (4, b"ftypmif1", "an HEIC image"),
    (0, b"\x00\x00\x01\x00", "an icon file"),
    (0, b"DDS ", "a DDS texture"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR file"),
    (0, b"#?RADIANCE", "a Radiance file"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"PK\x03\x04", "a zip"),
    (0, b"\x1f\x8b", "a gzip file"),
)
_READ: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"GIF8", "GIF"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"II+\x00", "TIFF"),
    (0, b"MM\x00+", "TIFF"),
    (8, b"WEBP", "WebP"),
    (4, b"ftypavi", "AVIF"),
    (0, b"\x00\x00\x00\x0cjP  \r\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
)


class UnreadableImageError(Exception):
    """An image that cannot be decoded; its text says why in a few words."""


@contextlib.contextmanager
def open_image(raw: bytes, max_pixels: int = MAX_PIXELS) -> Iterator[ImageFile.ImageFile]:
    """An image file, opened by one of :data:`FORMATS` only and without a word of Pillow's own on the terminal.

    Raises:
        UnreadableImageError: another format, a damaged file, or more than ``max_pixels``; or what is raised within.
    """
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # its warning knows neither file nor option
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(raw), formats=FORMATS) as image:
                _check_size(image, max_pixels)
                yield image
    except (MemoryError, UnreadableImageError):
        raise
    except Exception as error:  # on damaged files Pillow's plugins raise nearly anything
        raise UnreadableImageError(_reason(raw, error)) from None
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _check_size(image: Image.Image, most: int) -> None:
    if (pixels := image.width * image.height) > most:
        size = f"{image.width}x{image.height} are {pixels:,} pixels"
        raise UnreadableImageError(f"{size}, more than data.max_pixels={most} allows")


def _reason(raw: bytes, error: Exception) -> str:
    if not raw:
        return "empty file"
    if not isinstance(error, UnidentifiedImageError):
        return " ".join(str(error).split()) or type(error).__name__
    if form := _called(raw, _READ):
        return f"a {form} that is damaged, or of a rare kind that Pillow cannot read"
    other = _called(raw, _MARKS) or ("an SVG drawing" if b"<svg" in raw[:1024].lower() else "")
    return f"{other}, not an image of a format that is read here" if other else "not an image"


def _called(raw: bytes, marks: tuple[tuple[int, bytes, str], ...]) -> str:
    return next((name for at, mark, name in marks if raw.startswith(mark, at)), "")
