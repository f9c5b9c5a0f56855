"""A run that is opened while something else starts: to load MLflow and reach its store takes seconds."""

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from ganflow.tracking.runs.tracked_run import TrackedRun


class LateRun:
    """A tracked run that is not open yet. As a context manager it finishes the run, if it was opened by then.

    Args:
        open_run: opens it.
    """

    def __init__(self, open_run: Callable[[], TrackedRun]) -> None:
        self._open_run, self._stack = open_run, ExitStack()
        self._run: TrackedRun | None = None

    def open(self) -> TrackedRun:
        """Open it.

        Raises:
            GanflowError: as :meth:`TrackedRun.open`.
        """
        self._run = self._stack.enter_context(self._open_run())
        return self._run

    @property
    def run(self) -> TrackedRun:
        """The run, once it is open."""
        assert self._run is not None
        return self._run

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, at)
