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

RESIDENT_SHARE = 0.25  # of the GPU's free memory that the data set may take
TURNS_AHEAD = 16
NUMBERS_AHEAD = 1 << 18  # at most so many numbers at once (1 MiB)

T = TypeVar("T")


class Order(NamedTuple):
    """Indices of the data that are a turn's real images (count,), labels (count,), flags of the mirrored (count, 1)."""

    rows: rng.Indices
    labels: Tensor | None
    flip: Tensor | None


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
            turns = max(1, min(TURNS_AHEAD, NUMBERS_AHEAD // (count * self._size)))
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
    ) -> None:
        self.dataset, self.seed, self.latent_dim, self.device = dataset, seed, latent_dim, device
        self.conditional, self.mirror = conditional, mirror
        self._resident = _to_device(dataset, device)
        self._order = Prefetcher(partial(self._draw_order, seed), batch, 1)
        self._own_order = {
            player: Prefetcher(partial(self._draw_order, rng.derive(seed, "real", player)), batch, 1)
            for player in strides
        }
        self.strides = strides
        self.latents = {
            player: Prefetcher(partial(self._draw_latents, f"z-{player}"), stride, latent_dim)
            for player, stride in strides.items()
        }

    def real(self, first: int, count: int) -> tuple[Tensor, Tensor | None]:
        """Images (count, C, R, R) in [-1, 1], or points as they are, and labels (count,), None when unconditional."""
        return self._images(self._order(first, count))

    def own(self, player: str, first: int, count: int) -> tuple[Tensor, Tensor | None]:
        """The same of a player's own order of the data: images ``first … first + count - 1`` that it alone has seen."""
        return self._images(self._own_order[player](first, count))

    def _images(self, order: Order) -> tuple[Tensor, Tensor | None]:
        images = self._rows(order.rows)
        if images.dtype == torch.uint8:
            images = images.float().div_(127.5).sub_(1.0)
        if order.flip is not None:
            images = torch.where(order.flip[:, :, None, None], images.flip(3), images)
        return images, order.labels

    def _draw_order(self, seed: int, firsts: Sequence[int], count: int) -> Iterable[Order]:
        turns = len(firsts)
        rows = rng.sample_order(seed, firsts, count, len(self.dataset))
        flips = self._tensor(rng.uniform(seed, "mirror", firsts, count, 1) < 0.5) if self.mirror else None
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
            return self._resident[torch.from_numpy(rows).to(self.device)]
        return self._tensor(self.dataset.images(rows))

    def _tensor(self, array: npt.NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(array).to(self.device, non_blocking=True)


def _split(rows: Tensor | None, turns: int) -> Iterable[Tensor | None]:
    return [None] * turns if rows is None else rows.chunk(turns)


def _to_device(dataset: Dataset, device: torch.device) -> Tensor | None:
    if device.type != "cuda":
        return None
    facts = dataset.facts
    size = len(dataset) * facts.channels * facts.resolution**2 * facts.dtype.itemsize
    if size > RESIDENT_SHARE * torch.cuda.mem_get_info(device)[0]:
        return None
    chunks = np.array_split(np.arange(len(dataset)), max(1, size >> 26))
    return torch.cat([torch.from_numpy(dataset.images(chunk)).to(device) for chunk in chunks])
