"""One progress bar on stderr; on a stderr that is no terminal, a plain line now and then."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from tqdm import tqdm

Advance = Callable[[int], None]  # "so many more are done"
Progress = Callable[[int], contextlib.AbstractContextManager[Advance]]  # from the total

LINE_EVERY_S = 5.0
AT_ONCE_S = 0.01  # what is done within it was there before, and has no rate


@contextlib.contextmanager
def progress(total: int, what: str = "prepare", unit: str = "images", done: int = 0) -> Iterator[Advance]:
    """Show how far ``what`` is and how many ``unit`` it does per second.

    Args:
        total: how many ``unit`` there are.
        what: the line's first word.
        unit: what is counted; ``B`` is shown in multiples of bytes.
        done: how many there were before; they do not count for the rate.
    """
    if sys.stderr.isatty():
        shown = unit if unit == "B" else f" {unit}"
        with tqdm(total=total, desc=what, unit=shown, unit_scale=unit == "B", initial=done) as bar:

            def advance(n: int) -> None:
                bar.update(n)

            yield advance
    else:
        lines = _Lines(total, what, unit, sys.stderr, done)
        yield lines.advance
        lines.show()


class _Lines:
    def __init__(self, total: int, what: str, unit: str, out: TextIO, done: int) -> None:
        self.total, self.what, self.unit, self.out = total, what, unit, out
        self.before, self.done, self.start = done, done, time.monotonic()
        self.shown = self.start

    def advance(self, n: int) -> None:
        self.done += n
        if time.monotonic() - self.shown >= LINE_EVERY_S and self.done < self.total:
            self.show()

    def show(self) -> None:
        """Print one line."""
        self.shown = time.monotonic()
        seconds = self.shown - self.start
        rate = f", {(self.done - self.before) / seconds:,.0f}/s" if seconds > AT_ONCE_S else ""
        self.out.write(f"{self.what}: {self.done:,} of {self.total:,} {self.unit}{rate}\n")
        self.out.flush()
