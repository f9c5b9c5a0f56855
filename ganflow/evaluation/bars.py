"""How far an evaluation is, as a person sees it: one bar for each kind of work."""

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from ganflow.data.progress import Advance, progress
from ganflow.evaluation.evaluator import Advanced


class Bars:
    """A listener of an evaluator's that draws a bar when a kind of work begins and ends it when all is done."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._advance: dict[str, Advance] = {}
        self._left: dict[str, int] = {}

    def __call__(self, event: Advanced) -> None:
        if event.what not in self._advance:
            unit = "images" if event.what != "metrics" else ""
            self._advance[event.what] = self._open.enter_context(progress(event.total, event.what, unit))
        self._advance[event.what](event.count)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()
