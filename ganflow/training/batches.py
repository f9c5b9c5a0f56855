"""This rank's rows of the global batch, as a function of (seed, image index) alone."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganflow.data.prepared.dataset import Dataset
from ganflow.distributed import rng
from ganflow.distributed.host_arrays import HostArrays
from ganflow.distributed.rng import RandomStream
from ganflow.methods.degradations.chain import DegradationChain

RESIDENT_SHARE = 0.25  # of the GPU's free memory that the data set may take
TURNS_AHEAD = 16
NUMBERS_AHEAD = 1 << 18  # at most so many numbers at once (1 MiB)

T = TypeVar("T")
Latents = Callable[[int, int], tuple[Tensor, Tensor | None]]


class Order(NamedTuple):
    """Indices of the data that are a turn's real images (count,), labels (count,), flags of the mirrored (count, 1)."""

    rows: rng.Indices
    labels: Tensor | None
    flip: Tensor | None


class Reals(NamedTuple):
    """Real images of a turn as networks take them, and what is known of them.

    Shapes: images (N, C, H, W); labels (N,); given (N, C', H', W'), of which G is to make them; hidden (N, 1, H, W).
    """

    images: Tensor
    labels: Tensor | None
    given: Tensor | None = None
    hidden: Tensor | None = None


class Prefetcher(Generic[T]):
    """Makes the rows of several turns in one go: for a batch of small images NumPy's calls cost more than the numbers.

    Args:
        make: called with the first images of some turns and their count of rows; gives one item per turn.
        stride: images from one turn to the next.
        size: numbers in a row.
    """

    def __init__(self, make: Callable[[Sequence[int], int], Iterable[T]], stride: int, size: int) -> None:
        self._make, self._stride, self._size = make, stride, size
        self._ready: dict[tuple[int, int], T] = {}

    def __call__(self, first: int, count: int) -> T:
        """The item of the turn on images ``first … first + count - 1``."""
        if (first, count) not in self._ready:
            turns = max(1, min(TURNS_AHEAD, NUMBERS_AHEAD // (count * max(1, self._size))))
            firsts = range(first, first + turns * self._stride, self._stride)
            made = {(f, count): item for f, item in zip(firsts, self._make(firsts, count), strict=True)}
            # What other parts of this turn have ready stays; what lies behind will not be asked for.
            self._ready = {key: item for key, item in self._ready.items() if key[0] > first - self._stride} | made
        return self._ready.pop((first, count))


class BatchSource:
    """Real images and latents of a turn on images ``first … first + count - 1`` of the run.

    On a GPU with room the data set stays there as it is stored; else rows are read from the memory map.

    Args:
        batch: images from one turn on new real images to the next.
        strides: images from one turn to the next, by player.
        arrays: takes what the host makes of a step to the device; None: this does, many turns at a time.
        degrade: makes what is given of the images; None: nothing is.
    """

    def __init__(
        self,
        dataset: Dataset,
        seed: int,
        latent_dim: int,
        conditional: bool,
        mirror: bool,
        device: torch.device,
        batch: int,
        strides: Mapping[str, int],
        arrays: HostArrays | None = None,
        degrade: DegradationChain | None = None,
    ) -> None:
        self.dataset, self.seed, self.latent_dim, self.device = dataset, seed, latent_dim, device
        self.conditional, self.mirror = conditional, mirror
        self._resident = _to_device(dataset, device)
        self._arrays, self._degrade, self._pairs = arrays, degrade, dataset.facts.given is not None
        self._order = Prefetcher(partial(self._draw_order, seed), batch, 1)
        self._own_order = {
            player: Prefetcher(partial(self._draw_order, rng.derive(seed, "real", player)), batch, 1)
            for player in strides
        }
        self.strides = strides
        self.latents: dict[str, Latents] = {
            player: Prefetcher(partial(self._draw_latents, f"z-{player}"), stride, latent_dim)
            for player, stride in strides.items()
        }
        if arrays is not None:
            self.latents = {player: partial(self._sent_latents, arrays, f"z-{player}") for player in strides}

    def real(self, first: int, count: int) -> Reals:
        """The real images of a turn; labels are None when unconditional."""
        real = (
            self._images(self._order(first, count))
            if self._arrays is None
            else self._sent(self._arrays, self.seed, first, count)
        )
        return self._degraded(real, "given", first)

    def own(self, player: str, first: int, count: int) -> Reals:
        """The same of a player's own order of the data: images ``first … first + count - 1`` that it alone has seen."""
        real = (
            self._images(self._own_order[player](first, count))
            if self._arrays is None
            else self._sent(self._arrays, rng.derive(self.seed, "real", player), first, count)
        )
        return self._degraded(real, f"given-{player}", first)

    def _degraded(self, real: Reals, stream: str, first: int) -> Reals:
        """The same with what is given of the images, where that is made of them."""
        if self._degrade is None:
            return real
        draw = RandomStream(self.seed, stream, first, len(real.images), self.device, self._arrays)
        given = self._degrade(real.images, draw)
        return real._replace(given=given, hidden=self._degrade.hidden(given))

    def _images(self, order: Order) -> Reals:
        images = self._ready(self._rows(order.rows), order.flip)
        if not self._pairs:
            return Reals(images, order.labels)
        return Reals(images, order.labels, self._ready(self._tensor(self.dataset.given(order.rows)), order.flip))

    def _sent(self, arrays: HostArrays, seed: int, first: int, count: int) -> Reals:
        """The same as :meth:`_images` gives, by arrays that are made for this turn alone."""
        if self._resident is None:
            images = arrays(self._stored_images, first, seed=seed, count=count)
        else:
            images = self._resident[arrays(self._stored_rows, first, seed=seed, count=count)]
        labels = arrays(self._stored_labels, first, seed=seed, count=count) if self.conditional else None
        flip = arrays(_flips, first, seed=seed, count=count) if self.mirror else None
        given = arrays(self._stored_given, first, seed=seed, count=count) if self._pairs else None
        return Reals(self._ready(images, flip), labels, None if given is None else self._ready(given, flip))

    def _ready(self, stored: Tensor, flip: Tensor | None) -> Tensor:
        """Samples as networks take them, some mirrored."""
        signal = self.dataset.facts.signal
        ready = signal.ready(stored)
        if flip is None:
            return ready
        return torch.where(flip.view(-1, *[1] * (ready.dim() - 1)), signal.mirrored(ready), ready)

    def _stored_rows(self, first: int, seed: int, count: int) -> rng.Indices:
        return rng.sample_order(seed, first, count, len(self.dataset))

    def _stored_images(self, first: int, seed: int, count: int) -> npt.NDArray[np.generic]:
        return self.dataset.images(self._stored_rows(first, seed, count))

    def _stored_given(self, first: int, seed: int, count: int) -> npt.NDArray[np.generic]:
        return self.dataset.given(self._stored_rows(first, seed, count))

    def _stored_labels(self, first: int, seed: int, count: int) -> npt.NDArray[np.generic]:
        return self.dataset.labels[self._stored_rows(first, seed, count)]

    def _sent_latents(self, arrays: HostArrays, stream: str, first: int, count: int) -> tuple[Tensor, Tensor | None]:
        z = arrays(rng.normal, first, seed=self.seed, stream=stream, count=count, size=self.latent_dim)
        labels = arrays(self._drawn_labels, first, stream=stream, count=count) if self.conditional else None
        return z, labels

    def _drawn_labels(self, first: int, stream: str, count: int) -> npt.NDArray[np.generic]:
        rows = rng.integers(self.seed, f"{stream}-label", first, count, len(self.dataset))
        return self.dataset.labels[rows]

    def _draw_order(self, seed: int, firsts: Sequence[int], count: int) -> Iterable[Order]:
        turns = len(firsts)
        rows = rng.sample_order(seed, firsts, count, len(self.dataset))
        flips = self._tensor(_flips(firsts, seed, count)) if self.mirror else None
        return map(Order, np.split(rows, turns), _split(self._labels(rows), turns), _split(flips, turns))

    def _draw_latents(self, stream: str, firsts: Sequence[int], count: int) -> Iterable[tuple[Tensor, Tensor | None]]:
        """z (count, latent_dim) and labels drawn from the data's own distribution, None when unconditional."""
        z = self._tensor(rng.normal(self.seed, stream, firsts, count, self.latent_dim))
        rows = rng.integers(self.seed, f"{stream}-label", firsts, count, len(self.dataset))
        return zip(z.split(count), _split(self._labels(rows), len(firsts)), strict=True)

    def _labels(self, rows: rng.Indices) -> Tensor | None:
        return self._tensor(self.dataset.labels[rows]) if self.conditional else None

    def _rows(self, rows: rng.Indices) -> Tensor:
        if self._resident is not None:
            return self._resident[self._tensor(rows)]
        return self._tensor(self.dataset.images(rows))

    def _tensor(self, array: npt.NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(array).to(self.device, non_blocking=True)


def _flips(first: rng.First, seed: int, count: int) -> npt.NDArray[np.bool_]:
    """Flags (rows, 1) of the images that are mirrored."""
    return rng.uniform(seed, "mirror", first, count, 1) < 0.5


def _split(rows: Tensor | None, turns: int) -> Iterable[Tensor | None]:
    return [None] * turns if rows is None else rows.chunk(turns)


def _to_device(dataset: Dataset, device: torch.device) -> Tensor | None:
    if device.type != "cuda":
        return None
    facts = dataset.facts
    size = len(dataset) * facts.values * facts.signal.dtype.itemsize
    if size > RESIDENT_SHARE * torch.cuda.mem_get_info(device)[0]:
        return None
    chunks = np.array_split(np.arange(len(dataset)), max(1, size >> 26))
    return torch.cat([torch.from_numpy(dataset.images(chunk)).to(device) for chunk in chunks])
