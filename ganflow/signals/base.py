"""The interface of a kind of data.

A sample is stored with a shape of its own, its channels first: images (C, H, W), points in the plane (2, 1, 1).
Networks take and make it in that shape, as float32. Here N is their number.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # who only asks for facts waits for no torch
    from torch import Tensor

Shape = tuple[int, ...]
Samples = npt.NDArray[Any]

IMAGE = "image"  # the kind of which manifests and headers say nothing

KINDS: dict[str, type["Signal"]] = {}


def square(channels: int, side: int) -> Shape:
    """The shape of samples with two sides of one length."""
    return channels, side, side


def is_square(shape: Shape) -> bool:
    """True of a shape (C, H, W) with two sides of one length."""
    return len(shape) == 3 and shape[1] == shape[2]


class Signal(ABC):
    """A kind of data.

    Attributes:
        name: as the manifest of a data set has it.
        family: the name of the kind that networks make and metrics measure; they say in ``signals`` which they know.
        dtype: of a stored value.
        array: the name of the samples among the arrays of a file.
        separate_channels: whether every channel has a class of its own.
        bounded: whether values that networks take lie between -1 and 1.
        alone: whether one sample by itself is something to look at.
        shown: samples that one picture has.
        task: what Hugging Face's hub calls a model that makes such samples; "" where it has no word.
        plural: what samples are called.
        with_torch: the line of Python that makes samples of what a network has ``made``.
        with_numpy: the same, of an array.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    dtype: ClassVar[np.dtype[np.generic]]
    array: ClassVar[str]
    separate_channels: ClassVar[bool] = False
    bounded: ClassVar[bool] = True
    alone: ClassVar[bool] = True
    shown: ClassVar[int] = 100
    task: ClassVar[str] = ""
    plural: ClassVar[str]
    with_torch: ClassVar[str]
    with_numpy: ClassVar[str]

    def __init_subclass__(cls) -> None:
        KINDS[cls.name] = cls

    @abstractmethod
    def ready(self, stored: "Tensor") -> "Tensor":
        """Stored values (N, *shape) as networks take them."""

    @abstractmethod
    def stored(self, made: "Tensor") -> "Tensor":
        """The output of a network (N, *shape) as it would be stored."""

    @abstractmethod
    def mirrored(self, ready: "Tensor") -> "Tensor":
        """Samples (N, *shape), each seen in a mirror."""

    @abstractmethod
    def row(self, shape: Shape) -> Shape:
        """The shape of one sample among those that :meth:`rows` gives."""

    @abstractmethod
    def rows(self, stored: "Tensor") -> Samples:
        """Stored samples (N, *shape) as people and their programs take them: (N, *row)."""

    @abstractmethod
    def preview(self, rows: Samples, columns: int | None = None, centres: Sequence[Sequence[float]] = ()) -> bytes:
        """Samples (N, *row) in one picture, a PNG.

        Args:
            rows: as :meth:`rows` gives them.
            columns: samples beside each other, where they stand in rows; None: as square as N allows.
            centres: of the data's modes, where they are known.
        """

    @abstractmethod
    def size(self, shape: Shape) -> str:
        """The shape of a sample in a few characters, such as 8x8x1."""

    @abstractmethod
    def says(self, shape: Shape) -> str:
        """The samples in words, such as: grey images of 8x8."""

    @abstractmethod
    def output(self, shape: Shape) -> str:
        """The output of an exported network in words."""
