"""Writers of samples, one file per form of output.

:func:`ganflow.generation.writers.base.sink` makes it a choice by its suffix.
"""

from ganflow.generation.writers.base import Sink, choose
from ganflow.generation.writers.target import Place

__all__ = ["Place", "Sink", "choose"]
