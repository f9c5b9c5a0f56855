"""Lines on stderr for the person at the terminal."""

import functools
import sys
import traceback
from collections.abc import Callable
from typing import ParamSpec

from ganflow.errors import GanflowError
from ganflow.redaction import redact

P = ParamSpec("P")


def tell(line: str, who: str = "ganflow") -> None:
    """Write ``who: line``, without secrets, above the progress bars that stand there.

    It is written in one piece: other threads tell, too.
    """
    from tqdm import tqdm

    tqdm.write(f"{who}: {redact(line)}\n", file=sys.stderr, end="")


def entry_point(main: Callable[P, None]) -> Callable[P, None]:
    """Let ``main`` end a :class:`GanflowError` as one line on stderr, without secrets, and exit status 2."""

    @functools.wraps(main)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            main(*args, **kwargs)
        except GanflowError as error:
            if error.__cause__ is not None:  # a defect below, that its line alone would not explain
                traceback.print_exception(error.__cause__)
            tell(str(error))
            raise SystemExit(2) from None

    return run
