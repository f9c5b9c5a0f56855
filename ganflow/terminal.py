"""Lines on stderr for the person at the terminal."""

import functools
import inspect
import shlex
import sys
import traceback
from collections.abc import Callable, Sequence

from ganflow.errors import GanflowError
from ganflow.redaction import redact


def tell(line: str, who: str = "ganflow") -> None:
    """Write ``who: line``, without secrets, above the progress bars that stand there.

    It is written in one piece: other threads tell, too.
    """
    from tqdm import tqdm

    tqdm.write(f"{who}: {redact(line)}\n", file=sys.stderr, end="")


def entry_point(main: Callable[..., None]) -> Callable[..., None]:
    """Let ``main`` take a command line's arguments, and end a :class:`GanflowError` as one line and exit status 2.

    ``--help`` shows what stands at the top of its file. What ``main`` does not take is refused, not passed over.
    """

    @functools.wraps(main)
    def run(*arguments: str) -> None:
        if {"-h", "--help"} & set(arguments):
            print(inspect.getdoc(inspect.getmodule(main)))
            return
        try:
            _check(main, arguments)
            main(*arguments)
        except GanflowError as error:
            if error.__cause__ is not None:  # a defect below, that its line alone would not explain
                traceback.print_exception(error.__cause__)
            tell(str(error))
            raise SystemExit(2) from None

    return run


def _check(main: Callable[..., None], arguments: Sequence[str]) -> None:
    try:
        inspect.signature(main).bind(*arguments)
    except TypeError:
        told = f"{shlex.join(arguments)}: not what this takes" if arguments else "an argument is missing"
        raise GanflowError(f"{told}; --help tells what it takes") from None
