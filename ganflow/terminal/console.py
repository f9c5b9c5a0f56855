"""A command's main block: where its messages go, and its end."""

import atexit
import functools
import gc
import inspect
import logging
import os
import shlex
import traceback
from collections.abc import Callable, Sequence

from ganflow.errors import GanflowError
from ganflow.terminal.interrupts import ending, interruptible
from ganflow.terminal.messages import shown

logger = logging.getLogger(__name__)


def entry_point(main: Callable[..., None]) -> Callable[..., None]:
    """Let ``main`` take a command line's arguments, and end a :class:`GanflowError` or a signal as one line.

    It needs little itself: what ``main`` imports when it runs can be interrupted without a traceback.

    ``--help`` shows what stands at the top of its file. What ``main`` does not take is refused, not passed over.
    """

    @functools.wraps(main)
    def run(*arguments: str) -> None:
        if {"-h", "--help"} & set(arguments):
            print(inspect.getdoc(inspect.getmodule(main)))
            return
        _end_at_once()
        with shown(), interruptible(os.path.dirname(inspect.unwrap(main).__code__.co_filename)):
            try:
                _check(main, arguments)
                with ending():
                    main(*arguments)
            except GanflowError as error:
                if error.__cause__ is not None:  # a defect below, that its line alone would not explain
                    traceback.print_exception(error.__cause__)
                logger.error(str(error))
                raise SystemExit(error.status) from None

    return run


def _end_at_once() -> None:
    """Let the process end without a look for cycles in all that was loaded, seconds for Ray, torch and MLflow."""
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)


def _check(main: Callable[..., None], arguments: Sequence[str]) -> None:
    try:
        inspect.signature(main).bind(*arguments)
    except TypeError:
        problem = f"unexpected: {shlex.join(arguments)}" if arguments else "an argument is missing"
        raise GanflowError(f"{problem}; see --help") from None
