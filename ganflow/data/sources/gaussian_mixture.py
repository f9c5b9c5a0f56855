"""Points in the plane, drawn from a mixture of Gaussians: the toy sets on which every mode can be counted.

They are stored as images of 2 channels and 1×1 pixels, float32 and unscaled, so everything after takes them as it
takes images.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ganflow.data.prepared.dataset import Facts, Mixture
from ganflow.data.source import Content, Decoded, Items, Split, Understood, check_watch, watch_nothing
from ganflow.distributed import rng
from ganflow.errors import require


@dataclass
class PointSet:
    """The number of points to draw; sources of points take these as options."""

    count: int = 100_000  # in the train split
    test_count: int = 10_000  # in the test split; 0: none
    seed: int = 0  # of the draws
    watch: list[str] = field(default_factory=watch_nothing)
    path: ClassVar[str] = ""
    costly: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_watch(self.watch, watch_nothing)
        require(self.count > 0, "count", self.count, "must be at least 1")
        require(self.test_count >= 0, "test_count", self.test_count, "0 (no test split) or more")

    def draw(self, name: str, mixture: Mixture) -> Content:
        """The content of the source ``name``: points of ``mixture``, each with its mode as its class."""
        counts = {"train": self.count, "test": self.test_count}
        options = {"count": self.count, "test_count": self.test_count, "seed": self.seed}
        return Content(
            facts=Facts((2, 1, 1), len(mixture.centres), "points", mixture),
            classes=[" ".join(f"{round(x, 3) + 0.0:g}" for x in centre) for centre in mixture.centres],
            splits={split: self._split(mixture, split, n) for split, n in counts.items() if n},
            recipe={"name": name, **options},
            understood=Understood({split: "drawn" for split, n in counts.items() if n}, "the mode of every point"),
        )

    def _split(self, mixture: Mixture, split: str, count: int) -> Split:
        modes = rng.integers(self.seed, f"{split}-mode", 0, count, len(mixture.centres))
        noise = rng.normal(self.seed, f"{split}-noise", 0, count, 2)
        points = np.array(mixture.centres)[modes] + mixture.sigma * noise
        return Split(points.astype(np.float32), modes, as_they_are)


def as_they_are(items: Items) -> Decoded:
    """Points (B, 2) as images (B, 2, 1, 1)."""
    points = np.asarray(items, dtype=np.float32)
    return Decoded(points[:, :, None, None], np.ones(len(points), dtype=bool))
