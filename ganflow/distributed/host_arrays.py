"""Arrays that the host makes for a step, and their way to the device."""

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[np.generic]
Make = Callable[..., Array]
Key = tuple[Make, int, tuple[tuple[str, Hashable], ...]]  # what makes it, its first image from the step's on, the rest

ALIGNED = 64  # bytes, at a multiple of which every array begins
FORGOTTEN = 4096  # steps in which an array did not come


class HostArrays(Protocol):
    """Called with a function, the index of an image and what else the function takes by name: its array, there."""

    def __call__(self, make: Make, first: int, **rest: Hashable) -> Tensor: ...


class Direct:
    """Makes an array and takes it to the device when it is asked for."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def __call__(self, make: Make, first: int, **rest: Hashable) -> Tensor:
        return torch.from_numpy(make(first=first, **rest)).to(self.device, non_blocking=True)


@dataclass
class Habit:
    """The step that asked for an array last, and the images after which it comes again; 0: it is not known."""

    last: int
    every: int

    def seen(self, start: int) -> None:
        """It is asked for in the step after so many images."""
        if start > self.last:
            self.every = start - self.last
        self.last = start

    def due(self, start: int) -> bool:
        """True where it should come in the step after so many images."""
        return self.every > 0 and (start - self.last) % self.every == 0


class Packet(NamedTuple):
    """Arrays one after the other in memory from which a GPU copies by itself."""

    memory: Tensor  # uint8
    arrays: list[tuple[Key, int, Array]]  # where each begins, and one of its kind


class OneCopy:
    """All arrays of a step by one copy. A thread makes them while the step before is played.

    They are expected from what earlier steps asked for: what came again after so many images is due after as many more.
    What was not expected is made and copied when it is asked for, so that every step has the same numbers.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self._direct = device, Direct(device)
        self._thread = ThreadPoolExecutor(1, "host-arrays")
        self._habits: dict[Key, Habit] = {}
        self._start = self._images = 0  # of this step: images before it, images that it takes
        self._ahead: tuple[int, Future[Packet]] | None = None  # of the step after so many images
        self._here: dict[Key, Tensor] = {}  # of this step, not asked for yet

    def begin(self, start: int, images: int) -> None:
        """A step begins after ``start`` images and takes so many more: its arrays are here, the next one's are made."""
        for key in self._here:
            self._habits[key].every = 0  # it was expected in vain
        self._habits = {k: habit for k, habit in self._habits.items() if start - habit.last < FORGOTTEN * images}
        self._start, self._images = start, images
        self._here = self._made_ahead(start)
        late = [key for key in self._expected(start) if key not in self._here]
        if late:  # after a jump, or after the first step, which nothing was known before
            self._here |= self._sent(self._pack(late, start).result())
        later = start + images
        self._ahead = later, self._pack(self._expected(later), later)

    def _expected(self, start: int) -> list[Key]:
        return [key for key, habit in self._habits.items() if habit.due(start)]

    def _pack(self, keys: list[Key], start: int) -> "Future[Packet]":
        return self._thread.submit(_packed, keys, start, self.device)

    def _made_ahead(self, start: int) -> dict[Key, Tensor]:
        if self._ahead is None:
            return {}
        at, packing = self._ahead
        packet = packing.result()
        return self._sent(packet) if at == start else {}

    def _sent(self, packet: Packet) -> dict[Key, Tensor]:
        if not packet.arrays:
            return {}
        memory = _sent(packet.memory, self.device)
        return {key: _unpacked(memory, place, like) for key, place, like in packet.arrays}

    def __call__(self, make: Make, first: int, **rest: Hashable) -> Tensor:
        key = make, first - self._start, tuple(rest.items())
        habit = self._habits.get(key)
        if habit is None:
            self._habits[key] = Habit(self._start, self._images)
        else:
            habit.seen(self._start)
        array = self._here.pop(key, None)
        return self._direct(make, first, **rest) if array is None else array


def _packed(keys: list[Key], start: int, device: torch.device) -> Packet:
    arrays, size = [], 0
    for key in keys:
        make, offset, rest = key
        array: Any = np.ascontiguousarray(make(first=start + offset, **dict(rest)))
        arrays.append((key, size, array))
        size += -(-array.nbytes // ALIGNED) * ALIGNED
    memory = _memory(size, device)
    raw = memory.numpy()
    for _, place, array in arrays:
        raw[place : place + array.nbytes] = array.reshape(-1).view(np.uint8)
    return Packet(memory, arrays)


def _memory(size: int, device: torch.device) -> Tensor:
    if device.type != "cuda":
        return torch.empty(size, dtype=torch.uint8)
    with torch.cuda.device(device):  # a thread's is the first, on which this rank has no business
        return torch.empty(size, dtype=torch.uint8, pin_memory=True)


def _sent(memory: Tensor, device: torch.device) -> Tensor:
    return memory.to(device, non_blocking=True)


def _unpacked(memory: Tensor, place: int, like: Array) -> Tensor:
    dtype = torch.from_numpy(like[:0]).dtype
    return memory[place : place + like.nbytes].view(dtype).view(like.shape)
