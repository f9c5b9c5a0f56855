"""Ctrl-C in a command's first moments, before anything but this is imported: one line instead of a traceback."""

import os
import signal


def end_at_once() -> None:
    """Let SIGINT end a process that has not come to its ``main`` yet (:mod:`ganflow.interrupts`)."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def _end(number: int, frame: object) -> None:
    os.write(2, b"ganflow: stopped by SIGINT\n")
    os._exit(128 + number)
