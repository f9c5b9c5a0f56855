"""A signal before a command's ``main`` and after its last line: one line, or nothing, instead of a traceback."""

import atexit
import os
import signal

HEEDED = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


def end_at_once() -> None:
    """Let SIGINT and SIGTERM end a process that has not come to its ``main`` yet (:mod:`ganflow.terminal.interrupts`).

    After its last line, all is done: Python would take the modules apart and let a signal end that without a word.
    """
    for number, usual in HEEDED.items():
        if signal.getsignal(number) == usual:
            signal.signal(number, _end)
            atexit.register(signal.signal, number, signal.SIG_IGN)  # the first one registered is the last one called


def _end(number: int, frame: object) -> None:
    os.write(2, f"ganflow: stopped by {signal.Signals(number).name}\n".encode())
    if number == signal.SIGTERM:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(128 + number)
