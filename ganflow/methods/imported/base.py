"""The base of every architecture that can be imported, and the state dict that it takes tensors from."""

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from ganflow.errors import GanflowError
from ganflow.methods.networks.facts import network_facts
from ganflow.methods.networks.layers.pyramid import stages
from ganflow.signals.base import Shape, square

NAMED = 3  # tensors in one line
BINOMIAL = torch.outer(torch.tensor([1.0, 3.0, 3.0, 1.0]), torch.tensor([1.0, 3.0, 3.0, 1.0])) / 64


class TheirTensors:
    """A state dict under its authors' names, which knows what was not taken of it yet.

    Args:
        tensors: by name.
        owner: the network, for errors.
    """

    def __init__(self, tensors: Mapping[str, Tensor], owner: str) -> None:
        self.owner = owner
        self._tensors = dict(tensors)
        self._rest = dict.fromkeys(tensors)
        self.left_out: list[tuple[str, str]] = []  # name and reason

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        """Of the tensor, which stays to be taken.

        Raises:
            GanflowError: it is not there.
        """
        return tuple(self._tensor(name).shape)

    def take(self, name: str) -> Tensor:
        """The tensor in float32 where it is of another floating type.

        Raises:
            GanflowError: it is not there.
        """
        tensor = self._tensor(name)
        self._rest.pop(name, None)
        return tensor.float() if tensor.is_floating_point() else tensor

    def _tensor(self, name: str) -> Tensor:
        if name not in self._tensors:
            raise GanflowError(f"the {self.owner} has no tensor {name}, which this architecture has")
        return self._tensors[name]

    def numbers(self, pattern: str) -> list[int]:
        """The different numbers that the pattern's group matches at the beginning of names, ascending."""
        matches = (re.match(pattern, name) for name in self._tensors)
        return sorted({int(match[1]) for match in matches if match})

    def matching(self, pattern: str) -> list[str]:
        """Names that were not taken and in which the pattern is found."""
        return [name for name in self._rest if re.search(pattern, name)]

    def leave_out(self, pattern: str, reason: str) -> None:
        """Take tensors for nothing, and note why."""
        names = self.matching(pattern)
        for name in names:
            del self._rest[name]
        self.left_out += [(name, reason) for name in names]

    def leave_out_filters(self, pattern: str) -> None:
        """Leave out the kernels of resampling, which are constants.

        Raises:
            GanflowError: another filter than [1, 3, 3, 1].
        """
        for name in self.matching(pattern):
            kernel = self._tensors[name].float()
            same = kernel.shape == BINOMIAL.shape and torch.allclose(kernel / kernel.sum(), BINOMIAL, atol=1e-4)
            if not same:
                raise GanflowError(f"{name} is another filter than [1, 3, 3, 1], which is all that there is here")
        self.leave_out(pattern, "constants, the filter [1, 3, 3, 1]")

    def check_all_taken(self) -> None:
        """Refuse what has no place.

        Raises:
            GanflowError: naming the first such tensors.
        """
        if self._rest:
            names = ", ".join(list(self._rest)[:NAMED]) + (", …" if len(self._rest) > NAMED else "")
            raise GanflowError(f"the {self.owner} has {len(self._rest)} tensors without a place here: {names}")


@dataclass(frozen=True)
class ImportedFacts:
    """Facts that the tensors tell beside a network's options."""

    resolution: int
    channels: int
    num_classes: int  # 0: unconditional
    latent_dim: int = 0  # of a generator
    conditioning: str = "none"  # of a discriminator

    @property
    def shape(self) -> Shape:
        """Of a sample."""
        return square(self.channels, self.resolution)

    def for_component(self) -> dict[str, object]:
        """All facts that a network may ask for."""
        facts = {"latent_dim": self.latent_dim, "conditioning": self.conditioning}
        return {**facts, **network_facts(self.shape, self.num_classes)}


@dataclass(frozen=True)
class ImportedNetwork:
    """A network of ganflow's that computes what another did.

    Attributes:
        network: as in params.yaml: name and options.
        facts: what the tensors tell beside the options.
        weights: by ganflow's names.
        notes: lines on what no tensor tells.
    """

    network: Mapping[str, object]
    facts: ImportedFacts
    weights: Mapping[str, Tensor]
    notes: list[str] = field(default_factory=list)


class PublishedArchitecture(ABC):
    """A component of the group ``imported``, by the name of its network: what the published tensors are here.

    Its options are what no tensor tells.

    Attributes:
        beside: tensors of the generator that its authors keep beside the networks in a file.
    """

    beside: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def knows(self, names: Collection[str]) -> bool:
        """True of the names of such a generator or discriminator."""

    @abstractmethod
    def generator(self, theirs: TheirTensors) -> ImportedNetwork:
        """The generator.

        Raises:
            GanflowError: a variant that the network here does not have, or tensors that do not belong together.
        """

    @abstractmethod
    def discriminator(self, theirs: TheirTensors) -> ImportedNetwork:
        """The discriminator, with ``conditioning`` among the facts.

        Raises:
            GanflowError: as of :meth:`generator`.
        """


def refuse(option: str, theirs: object, ours: str) -> GanflowError:
    """The error for a variant that the network here does not have."""
    return GanflowError(f"{option}={theirs} in the authors' code: the network here has {ours} alone")


def pyramid_options(name: str, channels: Mapping[int, int]) -> dict[str, int]:
    """``width`` and ``halve_after`` of stages with so many channels, by their side.

    Raises:
        GanflowError: channels that no such options give.
    """
    width = channels[min(channels)]
    halve_after = max(side for side, count in channels.items() if count == width)
    resolution = max(channels)
    halve_after = max(halve_after, 32) if halve_after == resolution else halve_after
    if dict(stages(name, resolution, (min(channels),), width, halve_after)) != dict(channels):
        counts = ", ".join(f"{count} at {side}" for side, count in sorted(channels.items()))
        raise refuse("channels", counts, "channels that every doubling halves from some side on")
    return {"width": width, "halve_after": halve_after}
