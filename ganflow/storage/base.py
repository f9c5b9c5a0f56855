"""The interface of a storage: files by name, each written whole or not at all."""

from abc import ABC, abstractmethod
from pathlib import Path

from ganflow.errors import GanflowError


class StorageError(GanflowError):
    """A storage that did not take or give something. ``passing``: it may do so later, as after an outage."""

    def __init__(self, message: str, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


class MissingError(StorageError):
    """There is no file of that name."""


class Storage(ABC):
    """Files below one place. Names are relative, with forward slashes; every call may raise :class:`StorageError`."""

    uri: str

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Make or replace a file; a reader sees the old one or the new one."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """A file's content; :class:`MissingError` when there is none."""

    @abstractmethod
    def names(self, prefix: str = "") -> list[str]:
        """The files whose names begin so, sorted; none when the place is not there yet."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    @abstractmethod
    def upload(self, path: Path, name: str) -> None:
        """As :meth:`write`, of a file of this machine that may be too large for memory."""

    @abstractmethod
    def download(self, name: str, path: Path) -> None:
        """As :meth:`read`, into a file of this machine."""

    @abstractmethod
    def move(self, to: "Storage") -> None:
        """Make all files those of another place of the same kind, which is emptied first."""

    @abstractmethod
    def tidy(self) -> None:
        """Remove what writers that were killed have left unfinished."""

    @abstractmethod
    def below(self, name: str) -> "Storage":
        """The place of that name below this one."""

    def __str__(self) -> str:
        return self.uri
