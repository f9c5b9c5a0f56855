"""SIGTERM and Ctrl-C while workers train: they save first."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

logger = logging.getLogger(__name__)


HEEDED = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def signalled(ask: Callable[[str], object], worth: Callable[[], bool]) -> Iterator[Callable[[], str | None]]:
    """In the block the first signal calls ``ask`` with its name; a second one acts as it did before.

    Gives a function that names the signal, once there was one. Outside of the main thread signals stay as they are.

    Args:
        ask: lets the workers know that they should save and stop.
        worth: says that there is something to save; until then the first signal, too, acts as it did before.
    """
    came: list[str] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = {number: signal.getsignal(number) for number in HEEDED}

    def heed(number: int, frame: FrameType | None) -> None:
        for heeded, handler in before.items():
            signal.signal(heeded, handler)
        if not worth():
            return signal.raise_signal(number)
        name = signal.Signals(number).name
        came.append(name)
        logger.info(f"{name}: saving, then stopping; once more ends at once")
        ask(name)

    for number in HEEDED:
        signal.signal(number, heed)
    try:
        yield lambda: came[0] if came else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
