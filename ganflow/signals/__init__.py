"""Kinds of data, one file each: what a sample is, how it is stored, seen, shown and handed over.

The data say of which kind they are; nothing else asks for one by name. A new kind is a new file here and no edit
elsewhere: a subclass of :class:`~ganflow.signals.base.Signal`.
"""

import functools
import importlib
import pkgutil

from ganflow.errors import GanflowError
from ganflow.signals.base import KINDS, Signal

__all__ = ["Signal", "named"]


@functools.cache
def named(name: str) -> Signal:
    """The kind of that name, as a manifest or a model's header has it.

    Raises:
        GanflowError: there is none.
    """
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    if name not in KINDS:
        raise GanflowError(f"no kind of data is called {name!r}; there are {', '.join(sorted(KINDS))}")
    return KINDS[name]()
