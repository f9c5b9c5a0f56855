"""The model that is served, and who draws its samples."""

from dataclasses import dataclass
from math import prod
from typing import Protocol

from ganflow.methods.generator import Generator
from ganflow.serving.batching import AnyAsked

ANSWER = 2**24  # bytes of pixels


@dataclass(frozen=True)
class Model:
    """One version. Another one takes its place as a whole, so a request is answered by the one it was held against."""

    address: str  # that never changes its meaning: models:/NAME/3, or a path
    digest: str  # sha256 of the weights' file
    generator: Generator  # against which requests are held
    weights: object  # what the backend finds them by

    @property
    def some(self) -> int:
        """Samples of which an answer has some 16 MiB of pixels at most: 64, 21 of 512×512 in colour."""
        spec = self.generator.spec
        return min(64, max(1, ANSWER // prod(spec.shape)))


class BusyError(Exception):
    """No room for another request now; a later one may find some."""


class Backend(Protocol):
    """Draws samples somewhere."""

    def add(self, content: bytes) -> object:
        """Take the weights of a model, the bytes of its file; gives what :attr:`Model.weights` holds."""

    async def answer(self, model: Model, asked: AnyAsked) -> bytes:
        """The answer, encoded as asked.

        Raises:
            BusyError: too many wait.
        """

    async def ready(self) -> bool:
        """True if a replica is ready to draw."""
