"""From a path or a URI to the storage that it names."""

from pathlib import Path, PurePosixPath

from ganflow.config import project_folder
from ganflow.errors import GanflowError
from ganflow.storage.base import Storage
from ganflow.storage.local_folder import LocalFolder
from ganflow.storage.s3 import SCHEME, Bucket

ATTEMPTS = 12  # at a request for one of many objects that come at once: a busy server turns some away again and again


def open_storage(place: "str | Path | Storage", many: bool = False) -> Storage:
    """The storage at a path or at ``s3://bucket/prefix``; nothing is made or asked for yet.

    Args:
        place: where.
        many: many objects will come and go at once, so each is asked for more often before a busy server is away.

    Raises:
        GanflowError: a URI without a bucket, or of a scheme other than s3.
    """
    if isinstance(place, Storage):
        return place
    if not isinstance(place, str):
        return LocalFolder(place)
    if place.startswith(SCHEME):
        return Bucket(place, ATTEMPTS) if many else Bucket(place)
    _check_local(place)
    return LocalFolder(Path(place))


def _check_local(place: str) -> None:
    """Refuse an address of another kind, and one of S3 that is mistyped: either would be a folder of that name."""
    if "://" in place or place.lower().startswith("s3:"):
        raise GanflowError(f"{place}: storage is a path or {SCHEME}bucket/prefix")


def is_remote(uri: str) -> bool:
    """True if an address lies outside of this machine's file system: ``s3://…``, ``models:/…``."""
    return uri.startswith(("models:", "runs:")) or "://" in uri


def local_path(text: str) -> Path:
    """A path of this machine; ``~`` is the home folder of the user."""
    try:
        return Path(text).expanduser()
    except RuntimeError:  # ~NAME, and no such user
        return Path(text)


def localize(uri: str, scratch: Path) -> Path:
    """Bring a file or a folder to this machine.

    Args:
        uri: a local path, in which ``~`` is the home folder, or ``s3://bucket/key``: one object, or every
            object below ``key/``.
        scratch: where downloads go.

    Returns:
        The local file or folder.

    Raises:
        GanflowError: nothing of that name, no credentials, or no answer.
    """
    if not uri.startswith(SCHEME):
        _check_local(uri)
        return project_folder.given(local_path(uri))
    bucket = Bucket(uri, ATTEMPTS)
    target = scratch / "s3"
    alone = bucket.fetch_all(target)
    return target / PurePosixPath(bucket.key).name if alone else target
