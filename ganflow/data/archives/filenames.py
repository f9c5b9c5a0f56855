"""Names of files: the suffixes that images and archives have, and text made of names in unknown encodings."""

import posixpath
from collections.abc import Sequence

from ganflow.errors import ConfigError

IMAGES = frozenset(
    [
        ".png",
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".bmp",
        ".gif",
        ".tif",
        ".tiff",
        ".webp",
        ".avif",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
        ".jp2",
        ".tga",
    ]
)
ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")


def is_image(name: str) -> bool:
    """Tell by the suffix."""
    return posixpath.splitext(name)[1].lower() in IMAGES


def is_hidden(name: str) -> bool:
    """Tell whether a part of the name begins with a dot, or is what macOS adds to archives."""
    return name.startswith(".") or "/." in name or ("__MACOSX" in name and "__MACOSX" in name.split("/"))


def archive_stem(name: str) -> str:
    """The name without an archive's suffix; empty for other files."""
    suffix = max((s for s in ARCHIVES if name.lower().endswith(s)), key=len, default="")
    return name[: -len(suffix)] if suffix else ""


def check_encoding(encoding: str) -> None:
    """Refuse an encoding that Python does not know; an empty one is fine."""
    try:
        b"a".decode(encoding or "utf-8")
    except (LookupError, UnicodeError):
        raise ConfigError("encoding", encoding, "is not a known encoding of text, such as cp932 or latin-1") from None


def decode_names(raw: Sequence[bytes], encoding: str, otherwise: str) -> tuple[list[str], list[str]]:
    """Text of names whose encoding is not stated, and a warning where it had to be assumed.

    Args:
        raw: the names of one archive; one tool wrote them all in one encoding.
        encoding: what the user says it is; empty: UTF-8 if all names are.
        otherwise: what is assumed of names that are not UTF-8.

    Raises:
        ConfigError: ``encoding`` does not fit.
    """
    try:
        return [name.decode(encoding or "utf-8") for name in raw], []
    except UnicodeDecodeError as error:
        if encoding:
            raise ConfigError("data.encoding", encoding, f"does not read the file name {error.object!r}") from None
        odd = bytes(error.object).decode(otherwise)
    names = [name.decode(otherwise) for name in raw]
    hint = "data.encoding=… names the right one, such as cp932"
    return names, [f"file names are not UTF-8 and were read in {otherwise}, such as {odd}; {hint}"]


def decode_paths(paths: Sequence[str], encoding: str) -> tuple[list[str], list[str]]:
    """As :func:`decode_names`, of names in which Python left bytes that are not UTF-8."""
    odd = [i for i, path in enumerate(paths) if not path.isascii() and _has_bytes(path)]
    raw = [paths[i].encode("utf-8", "surrogateescape") for i in odd]
    decoded, warnings = decode_names(raw, encoding if odd else "", "latin-1")
    names = list(paths)
    for i, name in zip(odd, decoded, strict=True):
        names[i] = name
    return names, warnings


def _has_bytes(path: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in path)
