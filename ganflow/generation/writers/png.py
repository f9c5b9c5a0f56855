"""All samples in one picture: images in a grid, points in a plot."""

from dataclasses import dataclass

import numpy as np

from ganflow.errors import require
from ganflow.generation.sampling import Sampling
from ganflow.generation.writers.base import Sink, sink
from ganflow.generation.writers.target import Place
from ganflow.terminal.progress import progress

MOST = 10_000  # samples that a picture shows: it is made in memory
MOST_COLUMNS = 20


@sink(".png", says="all in one picture")
@dataclass(frozen=True)
class PictureWriter(Sink):
    """A PNG. Where classes take turns, each is a column."""

    def write(self, sampling: Sampling, place: Place) -> None:
        hint = f"at most {MOST} in one picture; .npz or a folder/ takes any number"
        require(sampling.n <= MOST, "n", sampling.n, hint)
        parts = []
        with progress(sampling.n, "generate") as advance:
            for first in sampling.starts:
                parts.append(sampling.draw(first))
                advance(len(parts[-1]))
        spec = sampling.spec
        picture = spec.signal.preview(np.concatenate(parts), columns(sampling), spec.centres)
        place.storage.write(place.name, picture)


def columns(sampling: Sampling) -> int | None:
    """A class per column where several take turns and go side by side."""
    classes = len(sampling.turn)
    return classes if 1 < classes <= min(sampling.n, MOST_COLUMNS) else None
