"""Messages to people: every module of the project logs them, a command shows them on the screen."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator

from ganflow.terminal.redaction import redact
from ganflow.terminal.screen import SCREEN

LOGGERS = ("ganflow", "pipelines", "__main__")  # the last one: a module that `python -m` runs


class LineHandler(logging.Handler):
    """Hands every message on as one line."""

    def __init__(self, write: Callable[[str], None], formatter: logging.Formatter | None = None) -> None:
        super().__init__()
        self._write = write
        self.setFormatter(formatter)

    def createLock(self) -> None:  # noqa: N802
        self.lock = None  # the screen has its own; an interrupt could leave this one held

    def emit(self, record: logging.LogRecord) -> None:
        self._write(self.format(record))


class LineFormatter(logging.Formatter):
    """``ganflow: MESSAGE`` without secrets; an adapter's ``who`` stands in the place of ganflow."""

    def __init__(self) -> None:
        super().__init__("{who}: {message}", style="{", defaults={"who": "ganflow"})

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def with_time() -> logging.Formatter:
    """``2026-01-31T12:00:00Z MESSAGE``, for the log of a process that stays."""
    formatter = logging.Formatter("{asctime} {message}", "%Y-%m-%dT%H:%M:%SZ", style="{")
    formatter.converter = time.gmtime
    return formatter


@contextlib.contextmanager
def handled(handler: logging.Handler) -> Iterator[None]:
    """Let the project's messages go to this handler alone for the block; those of other packages stay as they are."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)


def shown() -> contextlib.AbstractContextManager[None]:
    """Write the project's messages above the progress bars for the block."""
    return handled(LineHandler(SCREEN.write, LineFormatter()))
