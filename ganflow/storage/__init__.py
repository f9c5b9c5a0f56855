"""Where runs, data sets and models lie: a folder or ``s3://bucket/prefix``, by the same few calls."""

from ganflow.storage.base import MissingError, Storage, StorageError
from ganflow.storage.place import localize, open_storage
from ganflow.storage.s3 import SCHEME

__all__ = ["SCHEME", "MissingError", "Storage", "StorageError", "localize", "open_storage"]
