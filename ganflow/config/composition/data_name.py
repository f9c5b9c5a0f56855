"""The name of a data set, made from where it lies, so that two folders of images are not one registered model."""

import hashlib
import re
import unicodedata

# What folders inside of a data set are called, and so say nothing about which one it is.
GENERAL = {
    "train", "training", "test", "testing", "val", "valid", "validation", "all", "raw", "processed", "data", "dataset",
    "datasets", "images", "image", "imgs", "img", "files", "input", "download", "downloads", "tmp", "home", "mnt",
}  # fmt: skip
_ENDINGS = re.compile(r"(\.(zip|tar|tgz|tbz2|txz|gz|bz2|xz|zst|npz|npy|h5|parquet))+$", re.IGNORECASE)


def data_name(source: str, path: str) -> str:
    """A short name in ASCII: the last part of the path that says which data these are, else the last at all.

    Args:
        source: ``data.name``.
        path: ``data.path``, local or ``s3://``; empty for a source that needs none.
    """
    address = re.split("[?#]", path.partition("://")[2])[0].rpartition("@")[2]  # without who asks and with which token
    steps = (address if "://" in path else path).split("/")
    parts = [_ENDINGS.sub("", step) for step in steps if step not in ("", ".", "..", "~")]
    telling = [part for part in parts if part.lower() not in GENERAL] or parts
    return _plain(telling[-1]) if telling else source


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9._]+", "-", letters).strip("-._")
    return plain or hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
