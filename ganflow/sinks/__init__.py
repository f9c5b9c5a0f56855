"""Where samples go: one file per form of output, which :func:`ganflow.sinks.base.sink` makes a choice by its suffix."""

from ganflow.sinks.base import Sink, choose
from ganflow.sinks.place import Place

__all__ = ["Place", "Sink", "choose"]
