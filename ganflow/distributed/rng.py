"""Randomness as a pure function of (seed, stream, image index).

The k-th image of a run gets the same latent, label and augmentation whatever the batch size, the number of
workers or the restarts before it: there is no generator state to save, and ranks never overlap.
Bits come from the counter-based Philox generator (Salmon et al., 2011), ``ceil(words / 4)`` counters per image.
"""

import functools
import hashlib
import math
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod

import numpy as np
import numpy.typing as npt
import torch

from ganflow.distributed.host_arrays import Direct, HostArrays

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
First = int | Sequence[int]  # one batch's first image, or those of several: their rows follow one another

_CACHED_ORDER = 1 << 22  # up to this many images an epoch's order is kept in memory (32 MiB)


def derive(*parts: object) -> int:
    """A 63-bit seed from any parts, equal on every machine."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def bits(seed: int, stream: str, first: First, count: int, words: int) -> npt.NDArray[np.uint32]:
    """Random words of images ``first … first + count - 1``: (count, words), words rounded up to a multiple of 8."""
    starts = [first] if isinstance(first, int) else first
    if not words:
        return np.empty((count * len(starts), 0), np.uint32)
    if len(starts) > 1 and all(b - a == count for a, b in pairwise(starts)):  # the only rank's
        starts, count = starts[:1], count * len(starts)
    blocks = -(-words // 8)
    counters = _counters.of(seed, stream)
    raw = [counters.read(start * blocks, count * blocks) for start in starts]
    return (raw[0] if len(raw) == 1 else np.concatenate(raw)).view(np.uint32).reshape(-1, blocks * 8)


class _Counter:
    """Philox at any counter: to advance it takes a sixth of what a new generator does."""

    def __init__(self, key: int) -> None:
        self._generator, self._at = np.random.Philox(key=key), 0

    def read(self, first: int, count: int) -> npt.NDArray[np.uint64]:
        """The words of ``count`` counters, four each."""
        self._generator.advance(first - self._at)
        self._at = first + count
        return self._generator.random_raw(count * 4)


class _Counters(threading.local):
    """Those of this thread by seed and stream, the latest ones."""

    def __init__(self) -> None:
        self.of = functools.lru_cache(maxsize=64)(self._make)

    @staticmethod
    def _make(seed: int, stream: str) -> _Counter:
        return _Counter(derive(seed, stream) | derive(stream, seed) << 64)


_counters = _Counters()


def uniform(seed: int, stream: str, first: First, count: int, size: int) -> Floats:
    """Uniform draws in the open interval (0, 1): (count, size), 23 bits each."""
    words = bits(seed, stream, first, count, size)
    words >>= np.uint32(9)
    # 23 bits and the half fill float32's 24: with one bit more the largest would be rounded to 1.
    numbers = words[:, :size].astype(np.float32)
    numbers += np.float32(0.5)
    numbers *= np.float32(2.0**-23)
    return numbers


def normal(seed: int, stream: str, first: First, count: int, size: int) -> Floats:
    """Standard normal draws: (count, size), by Box and Muller (1958)."""
    half = -(-size // 2)
    u = uniform(seed, stream, first, count, 2 * half)
    radius, angle = np.log(u[:, :half]), u[:, half:]
    radius *= np.float32(-2.0)  # in place: fresh memory costs as much as the arithmetic
    np.sqrt(radius, out=radius)
    angle *= np.float32(2.0 * np.pi)
    out = np.empty((len(u), 2 * half), np.float32)
    for part, wave in ((out[:, :half], np.cos), (out[:, half:], np.sin)):
        wave(angle, out=part)
        part *= radius
    return out[:, :size]


def truncated_normal(seed: int, stream: str, first: First, count: int, size: int, threshold: float) -> Floats:
    """Normal draws of which those beyond ±threshold are drawn again until they are within: (count, size).

    What is within stays as :func:`normal` has it. What is not comes by one draw from where drawing again would end, the
    normal distribution between ±threshold: ``√2 erf⁻¹((2u − 1) erf(threshold/√2))``, the inverse of its integral.
    """
    z = normal(seed, stream, first, count, size)
    beyond = np.abs(z) > threshold
    u = torch.from_numpy(uniform(seed, f"{stream}/again", first, count, size)[beyond]).double()
    again = 2**0.5 * torch.erfinv((2 * u - 1) * math.erf(threshold / 2**0.5))
    z[beyond] = again.clamp(-threshold, threshold).numpy()
    return z


def integers(seed: int, stream: str, first: First, count: int, below: int) -> Indices:
    """One uniform draw from ``range(below)`` per image: (count,)."""
    words = bits(seed, stream, first, count, 2)[:, :2].astype(np.uint64)
    wide = (words[:, 0] << np.uint64(31)) ^ words[:, 1]
    return (wide % np.uint64(below)).astype(np.int64)


def sample_order(seed: int, first: First, count: int, n: int) -> Indices:
    """The indices of the data, of ``n``, that are images ``first … first + count - 1`` of the run: (count,).

    Every epoch of ``n`` images is a permutation of its own; a batch may straddle two.
    """
    index = np.add.outer(np.atleast_1d(first), np.arange(count)).ravel()
    epoch, position = index // n, index % n
    out = np.empty(len(index), np.int64)
    for e in np.unique(epoch):
        of_epoch = epoch == e
        out[of_epoch] = (
            _epoch(seed, int(e), n)[position[of_epoch]]
            if n <= _CACHED_ORDER
            else permute(seed, int(e), n, position[of_epoch])
        )
    return out


@functools.lru_cache(maxsize=4)  # of two orders, a batch may straddle two each
def _epoch(seed: int, epoch: int, n: int) -> Indices:
    """All of :func:`permute`: each step of every walk is looked up instead of computed."""
    width, keys = _network(seed, epoch, n)
    table = _feistel(np.arange(1 << width, dtype=np.uint64), width, keys).astype(np.int64)
    out = table[:n]
    while (outside := out >= n).any():
        out = np.where(outside, table[out], out)
    return out


def permute(seed: int, epoch: int, n: int, place: Indices) -> Indices:
    """Evaluate an epoch's pseudo-random permutation of ``range(n)`` at some places, in memory O(len(place)).

    A Feistel network on the next power of two; values outside of the range walk on along their cycle until they
    are inside (Black & Rogaway, 2002), which keeps it a permutation.
    """
    width, keys = _network(seed, epoch, n)
    out = place.astype(np.uint64)
    walking = np.arange(len(out))
    while len(walking):
        out[walking] = _feistel(out[walking], width, keys)
        walking = walking[out[walking] >= n]
    return out.astype(np.int64)


def _network(seed: int, epoch: int, n: int) -> tuple[int, list[np.uint64]]:
    return max(2, (n - 1).bit_length()), [np.uint64(derive(seed, "order", epoch, turn)) for turn in range(8)]


def _feistel(x: npt.NDArray[np.uint64], width: int, keys: list[np.uint64]) -> npt.NDArray[np.uint64]:
    left_bits, right_bits = width // 2, width - width // 2
    left, right = x >> np.uint64(right_bits), x & np.uint64((1 << right_bits) - 1)
    for key in keys:  # the halves change places, so their widths do too
        left, right = right, left ^ (_mix(right ^ key) & np.uint64((1 << left_bits) - 1))
        left_bits, right_bits = right_bits, left_bits
    return left << np.uint64(right_bits) | right


def _mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele et al., 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@dataclass(frozen=True)
class RandomStream:
    """Random tensors for the images of one turn on this rank: one row per image, anew for each stream."""

    seed: int
    stream: str
    first: int
    count: int
    device: torch.device
    arrays: HostArrays | None = None  # takes numbers to the device; None: each when it is drawn

    def substream(self, stream: str) -> "RandomStream":
        """The same images, other numbers."""
        return replace(self, stream=f"{self.stream}/{stream}")

    def normal(self, stream: str, *shape: int) -> torch.Tensor:
        """Standard normal: (count, *shape)."""
        return self._rows(normal, stream, shape)

    def uniform(self, stream: str, *shape: int) -> torch.Tensor:
        """Uniform in the open interval (0, 1): (count, *shape)."""
        return self._rows(uniform, stream, shape)

    def _rows(self, draw: Callable[..., Floats], stream: str, shape: tuple[int, ...]) -> torch.Tensor:
        return self.substream(stream).made(draw, size=prod(shape)).view(self.count, *shape)

    def made(self, make: Callable[..., Floats], **rest: Hashable) -> torch.Tensor:
        """The rows that the host makes by ``make(first, seed, stream, count, **rest)``, as :func:`uniform` does."""
        arrays = self.arrays or Direct(self.device)
        return arrays(make, self.first, seed=self.seed, stream=self.stream, count=self.count, **rest)
