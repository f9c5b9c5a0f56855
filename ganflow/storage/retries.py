"""A storage that is waited for while it is away."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ganflow.storage.base import Storage, StorageError

logger = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_S, LONGEST_S = 0.5, 15.0  # between two tries


class Patient(Storage):
    """Tries every call again until it succeeds, for at most ``patience_s``, unless its failure will not pass.

    Args:
        storage: what is called.
        patience_s: in seconds.
        option: what sets ``patience_s``, for the line that the storage is away.
        who: says so, and when the storage is back.
    """

    def __init__(
        self, storage: Storage, patience_s: float, option: str = "cluster.patience_s", who: str = "ganflow"
    ) -> None:
        self.storage, self.patience_s, self.option, self.who = storage, patience_s, option, who
        self._logger = logging.LoggerAdapter(logger, {"who": who})
        self._reasons: set[str] = set()  # why it is away, as far as that was said
        self.uri = storage.uri

    def write(self, name: str, content: bytes) -> None:
        self._until_done(lambda: self.storage.write(name, content))

    def read(self, name: str) -> bytes:
        return self._until_done(lambda: self.storage.read(name))

    def names(self, prefix: str = "") -> list[str]:
        return self._until_done(lambda: self.storage.names(prefix))

    def remove(self, name: str) -> None:
        self._until_done(lambda: self.storage.remove(name))

    def upload(self, path: Path, name: str) -> None:
        self._until_done(lambda: self.storage.upload(path, name))

    def download(self, name: str, path: Path) -> None:
        self._until_done(lambda: self.storage.download(name, path))

    def move(self, to: Storage) -> None:
        self._until_done(lambda: self.storage.move(to))

    def tidy(self) -> None:
        self._until_done(self.storage.tidy)

    def below(self, name: str) -> "Patient":
        return Patient(self.storage.below(name), self.patience_s, self.option, self.who)

    def _until_done(self, call: Callable[[], T]) -> T:
        start, wait = time.monotonic(), FIRST_S
        while True:
            try:
                result = call()
            except StorageError as error:
                left = self.patience_s - (time.monotonic() - start)
                if not error.passing or left <= 0:
                    self._reasons.clear()
                    raise
                reason = str(error).partition(": ")[2]  # without the file's name
                if reason not in self._reasons:
                    self._reasons.add(reason)
                    self._logger.warning(f"{error}; waiting for it, at most {self.patience_s:.0f} s ({self.option})")
                time.sleep(min(wait, left))
                wait = min(2 * wait, LONGEST_S)
            else:
                if wait > FIRST_S and self._reasons:
                    self._reasons.clear()
                    self._logger.info(f"{self.uri} works again, after {time.monotonic() - start:.0f} s")
                return result
