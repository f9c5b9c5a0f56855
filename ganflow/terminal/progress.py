"""Work as a person sees it: a bar on a terminal, plain lines elsewhere.

Both move with time and not only with what is done, so that ten seconds never pass without a sign of life.
"""

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from ganflow.terminal.screen import SCREEN, View

Advance = Callable[[int], None]  # "so many more are done"
Progress = Callable[[int], contextlib.AbstractContextManager[Advance]]  # from the total

LINE_EVERY_S = 8.0
SHORT_S = 3.0  # what is over within it is not shown on a terminal
AT_ONCE_S = 0.01  # what is done within it was there before, and has no rate


@dataclass(frozen=True)
class Advanced:
    """So many more of a total are done, perhaps elsewhere; :class:`Bars` shows it."""

    what: str
    count: int
    total: int
    unit: str = "images"
    note: str | None = None


def unheard(_: Advanced) -> None:
    """A listener that does nothing."""


class Amount:
    """The progress of a piece of work: done, speed and what is left."""

    def __init__(self, what: str, total: float, unit: str, done: float) -> None:
        self.what, self.unit, self.note = what, unit, ""
        self.begin(total, done)

    def begin(self, total: float, done: float) -> None:
        """Start anew: what was done before does not count for the rate."""
        self.total, self.before, self.done = total, done, done
        self.start = self.at = time.monotonic()

    def reach(self, done: float) -> None:
        """So much is done now."""
        self.done, self.at = done, time.monotonic()

    @property
    def rate(self) -> float:
        """The speed per second up to the last advance; 0 if it is not known."""
        seconds = self.at - self.start
        return (self.done - self.before) / seconds if seconds > AT_ONCE_S else 0.0

    def line(self) -> str:
        """Such as ``prepare: 1,024 of 60,000 images, 512/s, 0:02 left``."""
        parts = [f"{self.what}: {self._count(self.done)} of {self._count(self.total)} {self._unit}"]
        if self.rate >= 1:
            parts.append(f"{self._count(self.rate)}{' MB' if self.unit == 'B' else ''}/s")
        if self.done < self.total:
            parts.append(self._time())
        return ", ".join([*parts, *filter(None, [self.note])])

    def _time(self) -> str:
        now = time.monotonic()
        if not self.rate:
            return f"{now - self.start:.0f} s so far"
        return f"{hours((self.total - self.done) / self.rate - (now - self.at))} left"

    def _count(self, n: float) -> str:
        return f"{n / 1e6:,.1f}" if self.unit == "B" else f"{math.floor(n):,}"

    @property
    def _unit(self) -> str:
        return "MB" if self.unit == "B" else self.unit


def hours(seconds: float) -> str:
    """A time as h:mm, rounded up: 0:01 is a minute at most, and less is not promised."""
    minutes = max(1, math.ceil(seconds / 60))
    return f"{minutes // 60}:{minutes % 60:02d}"


class Bar(View):
    """A piece of work whose total is known.

    Args:
        what: the line's first word.
        total: how many ``unit`` there are.
        unit: what is counted; ``B`` is shown in multiples of bytes.
        done: how many there were before; they do not count for the rate.
        aside: it is not worth a line when it was soon over.
    """

    def __init__(self, what: str, total: float, unit: str = "images", done: float = 0, *, aside: bool = False) -> None:
        self._amount = Amount(what, total, unit, done)
        self._shown, self._worth = time.monotonic(), not aside
        with SCREEN.lock:
            SCREEN.open(self)
            self._bar = _bar_of(self._amount) if sys.stderr.isatty() else None

    def advance(self, n: float = 1, note: str | None = None) -> None:
        """So many more are done; ``note`` stands at the line's end until the next one."""
        with SCREEN.lock:
            self.reach(self._amount.done + n, note)

    def reach(self, done: float, note: str | None = None) -> None:
        """So many are done by now."""
        with SCREEN.lock:
            if note is not None:
                self._amount.note = note
            if done != self._amount.done:
                self._amount.reach(done)
            if self._bar is not None:
                self._bar.set_postfix_str(self._amount.note, refresh=False)
                self._bar.update(done - self._bar.n)

    def begin(self, total: float, done: float) -> None:
        """Start anew with another total."""
        with SCREEN.lock:
            self._amount.begin(total, done)
            if self._bar is not None:
                self._bar.reset(total=total)
                self._bar.initial = self._bar.n = done

    def tick(self, last: bool) -> None:
        if self._bar is not None:
            self._bar.refresh()
        elif last and time.monotonic() - min(self._shown, SCREEN.written_at) >= LINE_EVERY_S:
            self._show()

    def close(self, finished: bool = True) -> None:
        with SCREEN.lock:
            if not SCREEN.close(self):
                return
            if self._bar is not None:
                self._bar.close()
            elif finished and self._worth:
                self._show()

    def _show(self) -> None:
        self._shown, self._worth = time.monotonic(), True
        SCREEN.write(self._amount.line())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close(kind is None)


def _bar_of(amount: Amount) -> Any:
    from tqdm import tqdm

    in_bytes = amount.unit == "B"
    return tqdm(
        total=amount.total, initial=amount.done, desc=amount.what, unit="B" if in_bytes else f" {amount.unit}",
        unit_scale=in_bytes, dynamic_ncols=True, smoothing=0.1, file=sys.stderr,
    )  # fmt: skip


@contextlib.contextmanager
def progress(total: int, what: str = "prepare", unit: str = "images", done: int = 0) -> Iterator[Advance]:
    """Show how far ``what`` is and how many ``unit`` it does per second; arguments as of :class:`Bar`."""
    with Bar(what, total, unit, done) as bar:
        yield bar.advance


class Bars:
    """A listener that opens a bar when a kind of work begins and closes it when all of it is done."""

    def __init__(self) -> None:
        self._open: dict[str, Bar] = {}
        self._left: dict[str, int] = {}

    def __call__(self, event: Advanced) -> None:
        if event.what not in self._open:
            self._open[event.what] = Bar(event.what, event.total, event.unit)
            self._left[event.what] = event.total
        self._open[event.what].advance(event.count, event.note)
        self._left[event.what] -= event.count
        if self._left[event.what] <= 0:
            self._open.pop(event.what).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        while self._open:
            self._open.popitem()[1].close(kind is None)


class Waiting(View):
    """Work of unknown length: its time is shown now and then while nothing else is."""

    def __init__(self, what: str) -> None:
        self._what, self._start = what, time.monotonic()
        SCREEN.open(self)

    def tick(self, last: bool) -> None:
        now = time.monotonic()
        silent, line = now - SCREEN.written_at, f"{self._what}, {now - self._start:.0f} s so far"
        if not last:
            return
        if sys.stderr.isatty():
            if silent >= SHORT_S:
                SCREEN.draw(line)
        elif silent >= LINE_EVERY_S:
            SCREEN.write(line)

    def close(self, finished: bool = True) -> None:
        SCREEN.close(self)


@contextlib.contextmanager
def doing(what: str) -> Iterator[None]:
    """Show that ``what`` is under way, for as long as the block takes and nothing else is shown.

    It also decorates a function.
    """
    view = Waiting(what)
    try:
        yield
    finally:
        view.close()
