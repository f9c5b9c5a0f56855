"""The output to people on stderr: lines, and beneath them the work under way."""

import contextlib
import sys
import threading
import time
from abc import ABC, abstractmethod

TICK_S = 1.0


class View(ABC):
    """Something under way, which shows itself again and again."""

    @abstractmethod
    def tick(self, last: bool) -> None:
        """Called every :data:`TICK_S`; ``last`` says that no open view was opened later."""

    @abstractmethod
    def close(self, finished: bool = True) -> None:
        """End it; ``finished``: it came to its end, and may say so."""


class Screen:
    """The open views, the thread that lets them tick, and the lines that all threads write."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a signal may find the main thread holding it
        self.written_at = time.monotonic()  # the last line
        self._views: list[View] = []
        self._thread: threading.Thread | None = None
        self._drawn = self._ended = False

    def write(self, line: str) -> None:
        """Write a line above the bars, in one piece: other threads write, too."""
        if self._ended:
            return
        from tqdm import tqdm

        with self.lock:
            self.erase()
            tqdm.write(f"{line}\n", file=sys.stderr, end="")
            self.written_at = time.monotonic()

    def draw(self, text: str) -> None:
        """Show a text on a terminal until the next one. The cursor stays at its start: what is printed covers it."""
        sys.stderr.write(f"\r\x1b[K{text}\r")
        sys.stderr.flush()
        self._drawn = True

    def erase(self) -> None:
        """Remove what :meth:`draw` has shown."""
        if self._drawn:
            sys.stderr.write("\x1b[K")
            sys.stderr.flush()
            self._drawn = False

    def open(self, view: View) -> None:
        """Let a view tick."""
        with self.lock:
            self.erase()
            self._views.append(view)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ganflow-screen", daemon=True)
                self._thread.start()

    def close(self, view: View) -> bool:
        """Let a view tick no more; False where it did not."""
        with self.lock:
            self.erase()
            ticked = view in self._views
            if ticked:
                self._views.remove(view)
            return ticked

    def end(self, line: str) -> None:
        """Close all views and write a last line: the command was stopped, and its clean-up has nothing to tell."""
        with self.lock:
            for view in reversed(self._views.copy()):
                view.close(finished=False)
            self.write(line)
            self._ended = True

    def _run(self) -> None:
        while True:
            time.sleep(TICK_S)
            with self.lock:
                if not self._views:
                    self._thread = None
                    return
                for view in self._views:
                    with contextlib.suppress(OSError, ValueError):  # stderr is closed
                        view.tick(view is self._views[-1])


SCREEN = Screen()
