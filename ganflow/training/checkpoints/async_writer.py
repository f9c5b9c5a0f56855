"""Writes beside the training: its steps do not wait, and an outage of the storage does not end them."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ganflow.storage.base import StorageError


@dataclass(frozen=True)
class _Job:
    write: Callable[[], object]
    done: Callable[[], None]
    kind: str


def _nothing() -> None:
    pass


class Writer:
    """Carries out writes one after the other, from a thread of its own that lives while something is left to do."""

    def __init__(self) -> None:
        self._jobs: deque[_Job] = deque()
        self._busy = False  # the thread lives
        self._changed = threading.Condition()
        self._failure: StorageError | None = None

    def put(self, write: Callable[[], object], done: Callable[[], None] = _nothing, kind: str = "") -> None:
        """Have something written, then ``done`` called; returns at once.

        A write of a ``kind`` takes the place of one of the same kind that has not begun: while the storage is away
        only the newest state is kept.

        Raises:
            StorageError: an earlier write failed for good.
        """
        with self._changed:
            self._check()
            if kind:
                self._jobs = deque(job for job in self._jobs if job.kind != kind)
            self._jobs.append(_Job(write, done, kind))
            if not self._busy:
                self._busy = True
                threading.Thread(target=self._work, name="ganflow-writer", daemon=True).start()

    def flush(self, wait_s: float | None = None) -> bool:
        """Wait until all is written, for at most ``wait_s``; False where it is not.

        Raises:
            StorageError: a write failed for good.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._busy, wait_s)
            self._check()
            return not self._busy

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        while job := self._next():
            self._failure = self._carry_out(job)

    def _next(self) -> _Job | None:
        with self._changed:
            if self._jobs and self._failure is None:
                return self._jobs.popleft()
            self._busy = False
            self._changed.notify_all()
            return None

    def _carry_out(self, job: _Job) -> StorageError | None:
        try:
            job.write()
            job.done()
        except StorageError as error:
            return error
        except (
            Exception
        ) as error:  # raised where the writer is waited for: a thread that dies would be waited for forever
            return StorageError(f"cannot write: {type(error).__name__}: {error}")
        return None
