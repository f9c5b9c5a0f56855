"""Ctrl-C and SIGTERM at any time: one line, everything cleaned up, the right exit status.

The first signal raises KeyboardInterrupt where the main thread is, so that ``with`` and ``finally`` clean up. A second
one, or a clean-up that takes too long, ends the process and all that it started at once.
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

from ganflow.terminal.screen import SCREEN

CLEAN_UP_S = 30.0
AGAIN_S = 0.1
HEEDED = (signal.SIGINT, signal.SIGTERM)
# Not within an import, which would leave half a module, nor where tqdm holds its lock without a `with`.
_PR_SET_CHILD_SUBREAPER = 36  # of Linux's prctl
_NOT_WITHIN = ("<frozen importlib", f"{os.sep}tqdm{os.sep}")


class Interrupts:
    """The signal that came, and whether it may act where the main thread is.

    Args:
        entries: the folder of the files that import first and do nothing before: nothing is lost at their imports.
    """

    def __init__(self, entries: str) -> None:
        self.came: signal.Signals | None = None
        self.holds = 0
        self._entries, self._again = entries, False

    def heed(self, number: int, frame: FrameType | None) -> None:
        """The handler."""
        signal.alarm(0)  # Ray's, which calls this one, would abort the process three seconds later
        again, self._again = self._again, False
        if self.came is None:
            self.came = signal.Signals(number)
            _end(f"ganflow: stopped by {self.came.name}")
            threading.Thread(target=self._watch, name="ganflow-interrupts", daemon=True).start()
        elif not again:
            if not self.holds:
                leave(self.came)
            return
        if self.holds:
            return
        delicate = _delicate(frame)
        if delicate is None:
            raise KeyboardInterrupt(self.came.name)
        if os.path.dirname(delicate) == self._entries:
            leave(self.came)
        self._try_again()

    def lost(self, unraisable: "sys.UnraisableHookArgs") -> None:
        """Try again where Python cannot raise, e.g. in a finalizer, and would print the interrupt and go on."""
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            self._try_again()
        else:
            sys.__unraisablehook__(unraisable)

    def _try_again(self) -> None:
        def send() -> None:
            time.sleep(AGAIN_S)
            self._again = True
            assert self.came is not None
            signal.pthread_kill(threading.main_thread().ident or 0, self.came)

        threading.Thread(target=send, name="ganflow-interrupts", daemon=True).start()

    def _watch(self) -> None:
        left = CLEAN_UP_S
        while left > 0:
            time.sleep(AGAIN_S)
            left = CLEAN_UP_S if self.holds else left - AGAIN_S
        assert self.came is not None
        leave(self.came)


def _end(line: str) -> None:
    try:
        SCREEN.end(line)
    except Exception:  # the main thread may be half-way through an import that this needs
        os.write(2, f"{line}\n".encode())


_active: list[Interrupts] = []


@contextlib.contextmanager
def interruptible(entries: str) -> Iterator[None]:
    """A command's main block: a signal ends the process with one line and never a traceback.

    ``entries`` as of :class:`Interrupts`. Outside of the main thread signals stay as they are.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _adopt_orphans()
    interrupts = Interrupts(entries)
    before, hook = {number: signal.getsignal(number) for number in HEEDED}, sys.unraisablehook
    _active.append(interrupts)
    try:
        sys.unraisablehook = interrupts.lost
        for number in HEEDED:
            signal.signal(number, interrupts.heed)
        with ending():
            yield
            if interrupts.came is not None:  # as the last thing was done
                raise KeyboardInterrupt
    finally:
        _active.remove(interrupts)
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """End the process if the block was interrupted, whatever error a library made of that."""
    try:
        yield
    except BaseException as error:
        came = _active[-1].came if _active else None
        if came is None and not (_active and isinstance(error, KeyboardInterrupt)):
            raise
        leave(came or signal.SIGINT)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Let signals wait until the end of the block, which writes what belongs together."""
    if not _active or threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupts = _active[-1]
    interrupts.holds += 1
    try:
        yield
    finally:
        interrupts.holds -= 1
    if interrupts.came is not None and not interrupts.holds:
        raise KeyboardInterrupt


def stopped() -> bool:
    """True once a signal has stopped this process: what it started ends with it."""
    return bool(_active) and _active[-1].came is not None


def _adopt_orphans() -> None:
    """Be the parent of what a child leaves: Ray's end leaves workers that were just starting."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def leave(number: signal.Signals) -> NoReturn:
    """End this process, and what it started, as that signal does: status 130 by SIGINT, by SIGTERM its own."""
    import psutil

    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    ended: set[int] = set()  # first still, then killed: none starts another meanwhile
    while new := [p for p in psutil.Process().children(recursive=True) if p.pid not in ended]:
        for process in new:
            ended.add(process.pid)
            with contextlib.suppress(psutil.Error):
                process.suspend()
    for pid in ended:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    if number == signal.SIGTERM:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
    os._exit(128 + number)


def _delicate(frame: FrameType | None) -> str | None:
    """The file that led the main thread to where an interrupt does harm; None: it does no harm."""
    led, within = None, False
    while frame is not None:
        file = frame.f_code.co_filename
        if within:
            led = file
        within = any(name in file for name in _NOT_WITHIN)
        frame = frame.f_back
    return led
