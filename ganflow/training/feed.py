"""This rank's rows of the global batch, as a function of (seed, image index) alone."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganflow import draws
from ganflow.data.dataset import Dataset

RESIDENT_SHARE = 0.25  # of the GPU's free memory that the data set may take


class Feed:
    """Real images and latents of images ``first … first + count - 1`` of the run.

    On a GPU with room the data set stays there as it is stored; else rows are read from the memory map.
    """

    def __init__(
        self, dataset: Dataset, seed: int, latent_dim: int, conditional: bool, mirror: bool, device: torch.device
    ) -> None:
        self.dataset, self.seed, self.latent_dim, self.mirror, self.device = dataset, seed, latent_dim, mirror, device
        self.conditional = conditional
        self._resident = _to_device(dataset, device)

    def real(self, first: int, count: int) -> tuple[Tensor, Tensor | None]:
        """Images (count, C, R, R) in [-1, 1], or points as they are, and labels (count,), None when unconditional."""
        rows = draws.sample_order(self.seed, first, count, len(self.dataset))
        images = self._rows(rows)
        if images.dtype == torch.uint8:
            images = images.float().div_(127.5).sub_(1.0)
        if self.mirror:
            flip = self._tensor(draws.uniform(self.seed, "mirror", first, count, 1) < 0.5)
            images = torch.where(flip[:, :, None, None], images.flip(3), images)
        return images, self._tensor(self.dataset.labels[rows]) if self.conditional else None

    def latents(self, stream: str, first: int, count: int) -> tuple[Tensor, Tensor | None]:
        """z (count, latent_dim) and labels drawn from the data's own distribution, None when unconditional."""
        z = self._tensor(draws.normal(self.seed, stream, first, count, self.latent_dim))
        if not self.conditional:
            return z, None
        rows = draws.integers(self.seed, f"{stream}-label", first, count, len(self.dataset))
        return z, self._tensor(self.dataset.labels[rows])

    def _rows(self, rows: draws.Indices) -> Tensor:
        if self._resident is not None:
            return self._resident[torch.from_numpy(rows).to(self.device)]
        return self._tensor(self.dataset.images(rows))

    def _tensor(self, array: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device, non_blocking=True)


def _to_device(dataset: Dataset, device: torch.device) -> Tensor | None:
    if device.type != "cuda":
        return None
    facts = dataset.facts
    size = len(dataset) * facts.channels * facts.resolution**2 * facts.dtype.itemsize
    if size > RESIDENT_SHARE * torch.cuda.mem_get_info(device)[0]:
        return None
    chunks = np.array_split(np.arange(len(dataset)), max(1, size >> 26))
    return torch.cat([torch.from_numpy(dataset.images(chunk)).to(device) for chunk in chunks])
