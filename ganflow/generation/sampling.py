"""The choice of samples: a command, a service or a test that asks for the same gets the same images."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganflow.errors import ConfigError, require
from ganflow.methods.generator import Generator, GeneratorSpec
from ganflow.signals.base import Samples

FORMAT = 1  # of the record

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sampling:
    """``n`` samples of a generator; sample i depends on neither n nor the batch, but for float32's rounding.

    Args:
        generator: what makes them.
        n: how many.
        seed: the same seed draws the same samples, on every machine.
        label: the classes that take turns; None: all.
        truncation: as :meth:`Generator.latents` and :meth:`Generator.draw` have it; None: none.
        batch: how many are made at once; None: by their size.

    Raises:
        ConfigError: no samples, a class that there is not, a truncation that this generator cannot have.
    """

    generator: Generator
    n: int
    seed: int = 0
    label: Sequence[int] | None = None
    truncation: float | None = None
    batch: int | None = None

    def __post_init__(self) -> None:
        require(self.n > 0, "n", self.n, "must be at least 1")
        require(self.batch is None or self.batch > 0, "batch", self.batch, "must be at least 1")
        self.generator.check_truncation(self.truncation)
        self.generator.labels(0, 1, self.label)

    @property
    def spec(self) -> GeneratorSpec:
        """The generator's description."""
        return self.generator.spec

    @cached_property
    def turn(self) -> list[int]:
        """The classes that take turns; none of an unconditional generator."""
        return list(range(self.spec.num_classes) if self.label is None else self.label)

    @property
    def starts(self) -> range:
        """The first sample of every batch."""
        return range(0, self.n, self.batch or self.generator.batch)

    def count(self, first: int) -> int:
        """The number of samples in the batch that begins there."""
        return min(self.starts.step, self.n - first)

    def labels(self, first: int, count: int) -> Labels:
        """The classes of samples of a conditional generator: (count,)."""
        labels = self.generator.labels(first, count, self.label)
        assert labels is not None
        return labels.numpy()

    def draw(self, first: int) -> Samples:
        """The batch that begins there: uint8 (count, H, W, C), float32 (count, 2) of points."""
        count = self.count(first)
        z = self.generator.latents(self.seed, first, count, self.truncation)
        noise = self.generator.noise(self.seed, first, count)
        return self.make(z, self.generator.labels(first, count, self.label), noise)

    def make(self, z: Tensor, labels: Tensor | None, noise: Tensor | None = None) -> Samples:
        """The samples that z, classes and noise become.

        Raises:
            GanflowError: NaN or infinity, or a batch for which the GPU has no room.
        """
        try:
            made = self.generator.draw(z, labels, self.truncation, noise)
        except torch.OutOfMemoryError:
            raise ConfigError("batch", self.starts.step, "the GPU has no room for so many; take fewer") from None
        return self.generator.stored(made)

    def record(self) -> dict[str, object]:
        """All that the samples depend on, as plain values."""
        record: dict[str, object] = {
            "format": FORMAT,
            "model": self.generator.digest(),
            "n": self.n,
            "seed": self.seed,
            "label": None if self.label is None else list(self.label),
            "truncation": self.truncation,
        }
        return record | ({"noise": "by sample"} if self.generator.noise_size else {})


def classes_of(names: Sequence[str], spec: GeneratorSpec) -> list[int]:
    """Classes by number or by name.

    Raises:
        ConfigError: a name that this generator does not know.
    """
    allowed = f"0 to {spec.num_classes - 1}, or of {', '.join(spec.classes[:10])}"
    for name in names:
        require(name.isdecimal() or name in spec.classes, "label", name, allowed if spec.classes else "a number")
    return [int(name) if name.isdecimal() else spec.classes.index(name) for name in names]
