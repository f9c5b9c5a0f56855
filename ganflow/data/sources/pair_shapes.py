"""The shapes of images and of what a model is given of them, known by the headers of all files."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ganflow.data.decoding.decode import Frame, Header
from ganflow.data.layout.pair_folders import some
from ganflow.data.sources.picture_options import PictureOptions
from ganflow.errors import ConfigError
from ganflow.signals.base import Shape

Ends = tuple[str, str]  # the files of an image and of what is given of it


def pair_shapes(options: PictureOptions, headers: Mapping[str, Header], pairs: Sequence[Ends]) -> tuple[Shape, Shape]:
    """The shapes (C, H, W) of an image and of what is given of it, after crop and resize.

    Args:
        options: of the source.
        headers: by file; pairs of which one is missing are left to decoding, which names what it cannot read.
        pairs: all of them.

    Raises:
        ConfigError: sizes of a pair that do not go together, or pairs of mixed sizes.
    """
    whole = [pair for pair in pairs if pair[0] in headers and pair[1] in headers]
    if not whole:
        raise ConfigError("data.path", options.path, f"of none of its {len(pairs)} pairs can both images be read")
    apart = [pair for pair in whole if not _go_together(options, headers[pair[0]], headers[pair[1]])]
    if apart:
        count = "1 pair is" if len(apart) == 1 else f"{len(apart):,} pairs are"
        sizes = [f"{given} {_by(headers[given])} and {image} {_by(headers[image])}" for image, given in apart]
        allowed = (
            "what is given is as large as its image, or smaller by a whole factor without data.resize and data.crop"
        )
        raise ConfigError(
            "data.path", options.path, f"{count} of sizes that do not go together: {some(sizes)}; {allowed}"
        )
    images, given = _shape(options, headers, [pair[0] for pair in whole]), [pair[1] for pair in whole]
    return images, _shape(options, headers, given)


def _go_together(frame: Frame, image: Header, given: Header) -> bool:
    factor = image.width // given.width
    as_whole = (image.width, image.height) == (factor * given.width, factor * given.height)
    return as_whole and (factor == 1 or not (frame.resize or frame.crop))


def _shape(options: PictureOptions, headers: Mapping[str, Header], files: Sequence[str]) -> Shape:
    """The one shape that all of these files have."""
    grey = options.channels == 1 or (not options.channels and all(headers[file].grey for file in files))
    shapes = [options.shape(1 if grey else 3, headers[file].width, headers[file].height) for file in files]
    others = [
        f"{file} is {_by(headers[file])}" for file, shape in zip(files, shapes, strict=True) if shape != shapes[0]
    ]
    if others:
        first = f"the first, {files[0]}, {_by(headers[files[0]])}"
        mixed = f"leaves images of mixed sizes: {some(others)}, {first}; set data.resize (and data.crop)"
        raise ConfigError("data.resize", options.resize, mixed)
    return shapes[0]


def halved(headers: Mapping[str, Header]) -> dict[str, Header]:
    """The headers of one half of every picture.

    Raises:
        ConfigError: a picture of an odd width.
    """
    odd = [file for file, header in headers.items() if header.width % 2]
    if odd:
        count = "1 picture is" if len(odd) == 1 else f"{len(odd):,} pictures are"
        raise ConfigError("data.side_by_side", True, f"{count} of an odd width, so without halves: {some(odd)}")
    return {file: replace(header, width=header.width // 2) for file, header in headers.items()}


def _by(header: Header) -> str:
    return f"{header.width}x{header.height}"
