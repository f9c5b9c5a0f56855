"""How far an evaluation is, as a person sees it: one bar for each kind of work."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from ganflow.data.progress import Advance, progress
from ganflow.evaluation.evaluator import Advanced


class Bars:
    """A listener of an evaluator's that draws a bar when a kind of work begins and ends it when all is done."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[AbstractContextManager[Advance], Advance]] = {}
        self._left: dict[str, int] = {}

    def __call__(self, event: Advanced) -> None:
        if event.what not in self._open:
            bar = progress(event.total, event.what, "metrics" if event.what == "measure" else "images")
            self._open[event.what] = bar, bar.__enter__()
            self._left[event.what] = event.total
        self._open[event.what][1](event.count)
        self._left[event.what] -= event.count
        if self._left[event.what] <= 0:
            self._close(event.what)

    def _close(self, what: str) -> None:
        self._open.pop(what)[0].__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for what in list(self._open):
            self._close(what)
