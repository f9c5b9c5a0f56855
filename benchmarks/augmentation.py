"""What ADA's warps leave of fine detail: power above a quarter of a cycle per pixel, as a share of the images' own.

Beside each figure, that of the same maps by plain bilinear resampling; then the time of a batch through the pipeline,
with its first and second derivative, which R1 takes.

    python benchmarks/augmentation.py data=image_folder data.path=…         256 images of the training split
"""

import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganflow.config import components, composition
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset
from ganflow.distributed.rng import RandomStream
from ganflow.methods.augment.ada import ADA
from ganflow.methods.augment.affine import deform, warp
from ganflow.methods.augment.homogeneous import product
from ganflow.methods.augment.resample import resample
from ganflow.terminal.console import entry_point

IMAGES, BATCH, TIMES = 256, 64, 5


def some_images(overrides: list[str]) -> Tensor:
    """(N, C, H, W) in [-1, 1], from all over the training split."""
    config = composition.compose(overrides)
    with tempfile.TemporaryDirectory() as folder:
        prepare(components.build("source", config.data, "data"), Path(folder) / "data")
        dataset = Dataset.open(Path(folder) / "data")
        chosen = np.linspace(0, len(dataset) - 1, IMAGES).astype(np.int64)
        return torch.from_numpy(dataset.images(chosen)).float() / 127.5 - 1


def fine_detail(images: Tensor) -> float:
    """Power above a quarter of a cycle per pixel."""
    rows, columns = (torch.fft.fftfreq(size) for size in images.shape[-2:])
    high = (rows[:, None].square() + columns.square()).sqrt() > 0.25
    return float((torch.fft.fft2(images).abs().square() * high).sum())


def maps(count: int) -> dict[str, Tensor]:
    """One map for all images, by name."""
    zero, one, still = np.zeros(count), np.ones(count), np.zeros((count, 2))
    matrices = {
        "moved by half a pixel": deform(one, zero, one, zero, still + 0.5),
        "turned by 10°": deform(one, zero + math.radians(10), one, zero, still),
        "half the size": deform(one / 2, zero, one, zero, still),
        "twice the size": deform(one * 2, zero, one, zero, still),
    }
    return {name: product(torch.from_numpy(chain).float()) for name, chain in matrices.items()}


def seconds(see: Callable[[Tensor], Tensor], images: Tensor) -> float:
    """Of a batch, its gradient, and the gradient of that."""
    times = []
    for _ in range(TIMES):
        x = images[:BATCH].clone().requires_grad_()
        start = time.perf_counter()
        (slope,) = torch.autograd.grad(see(x).square().sum(), x, create_graph=True)
        torch.autograd.grad(slope.square().sum(), x)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


@entry_point
def main(*overrides: str) -> None:
    """Print the table for the images that the overrides name."""
    images = some_images(list(overrides))
    draw, whole = RandomStream(0, "D", 0, len(images), images.device), fine_detail(images)
    print(f"{len(images)} images of {tuple(images.shape[1:])}: share of fine detail      wavelets  bilinear")
    for name, map in maps(len(images)).items():
        shares = [fine_detail(see(images, map)) / whole for see in (resample, warp)]
        print(f"{name:48s} {shares[0]:10.3f} {shares[1]:9.3f}")
    for p in (0.3, 0.6, 1.0):
        print(f"{f'pipeline bgc, p {p}':48s} {fine_detail(ADA(p=p)(images, draw)) / whole:10.3f}")
    batch = RandomStream(0, "D", 0, min(BATCH, len(images)), images.device)
    for pipeline in ("b", "bg", "bgc", "bgcfn"):
        module = ADA(p=0.6, pipeline=pipeline)
        print(f"{pipeline}: {seconds(lambda x, m=module: m(x, batch), images) * 1000:.0f} ms for a batch")  # type: ignore[misc]


if __name__ == "__main__":
    main(*sys.argv[1:])
