"""The storage of runs, data sets and models: a folder or ``s3://bucket/prefix``, by the same few calls."""

from ganflow.storage.base import MissingError, Storage, StorageError
from ganflow.storage.locate import is_remote, local_path, localize, open_storage
from ganflow.storage.s3 import SCHEME
from ganflow.storage.stamp import STAMP, refresh_stamp

__all__ = [
    "SCHEME", "STAMP", "MissingError", "Storage", "StorageError", "is_remote", "local_path", "localize", "open_storage",
    "refresh_stamp",
]  # fmt: skip
