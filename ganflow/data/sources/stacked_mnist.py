"""Three digits of MNIST as the channels of one image: a thousand modes (Metz et al., 2017; PacGAN's protocol)."""

from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from ganflow.config.components import component
from ganflow.data.source import Content, Decode, Decoded, Items, Split, recipe_of
from ganflow.data.sources.idx import Idx
from ganflow.distributed import rng
from ganflow.errors import ConfigError, require

CHANNELS = 3


@component("source", "stacked_mnist")
@dataclass
class StackedMnist(Idx):
    """Random triples of a folder of IDX files; the class of digits a, b and c is 100a + 10b + c."""

    count: int = 128_000  # triples of the train split
    test_count: int = 26_000  # of the test split, where there is one
    seed: int = 0  # of the draws

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.count > 0, "count", self.count, "must be at least 1")
        require(self.test_count > 0, "test_count", self.test_count, "must be at least 1")

    def read(self, root: Path, scratch: Path) -> Content:
        """Map the files and draw which digits stand together.

        Raises:
            GanflowError: as :class:`Idx`; more than ten classes.
        """
        single = self.all_classes(root, scratch)
        digits = single.facts.num_classes
        if digits > 10:
            raise ConfigError("data.path", self.path, f"holds {digits} classes; stacks are of at most ten digits")
        between = "" if max(map(len, single.classes)) == 1 else "-"  # or 1, 11 and 11, 1 were called the same
        counts = {"train": self.count, "test": self.test_count}
        facts = replace(
            single.facts, shape=(CHANNELS, *single.facts.shape[1:]), num_classes=digits**CHANNELS, kind="stacked"
        )
        content = Content(
            facts=facts,
            classes=[between.join(digits) for digits in product(single.classes, repeat=CHANNELS)],
            splits={name: self._stack(name, split, counts[name], digits) for name, split in single.splits.items()},
            recipe=recipe_of("stacked_mnist", self),
            understood=replace(single.understood, labels="the digits of the three channels"),
        )
        return self.detection(content)

    def _stack(self, name: str, single: Split, count: int, digits: int) -> Split:
        streams = [rng.integers(self.seed, f"{name}-{c}", 0, count, len(single.items)) for c in range(CHANNELS)]
        rows = np.stack(streams, axis=1)
        labels = single.labels[rows] @ digits ** np.arange(CHANNELS - 1, -1, -1)
        return Split(rows, labels, Stack(single.items, single.decode))


@dataclass(frozen=True)
class Stack:
    """Decodes rows of grey images, (B, C), to images of C channels."""

    pixels: Items
    decode: Decode

    def __call__(self, items: Items) -> Decoded:
        rows = np.asarray(items)
        grey = self.decode(np.asarray(self.pixels)[rows.ravel()]).images
        return Decoded(grey.reshape(*rows.shape, *grey.shape[2:]), np.ones(len(rows), dtype=bool))
