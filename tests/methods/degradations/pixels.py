"""Pixels of photographs and of noise, images of them, and their draws."""

import functools

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import Tensor

from ganflow.distributed.rng import RandomStream
from ganflow.methods.degradations.levels import to_levels
from ganflow.signals.image import Image as ImageSignal

Pixels = npt.NDArray[np.uint8]  # (H, W, C)


@functools.cache
def photo(height: int = 96, width: int = 128, name: str = "china.jpg") -> Pixels:
    """A part of a photograph, full of detail, that was shrunk so that it has no traces of JPEG."""
    whole = Image.fromarray(load_sample_image(name)).resize((320, 213), Image.Resampling.LANCZOS)
    return np.asarray(whole)[40 : 40 + height, 90 : 90 + width].copy()


def speckle(height: int = 48, width: int = 64, channels: int = 3) -> Pixels:
    """Pixels that are black or white by chance: nothing is harder to filter."""
    return np.random.default_rng(0).integers(0, 2, (height, width, channels), np.uint8) * np.uint8(255)


def images(*pixels: Pixels) -> Tensor:
    """(N, C, H, W), as training has them."""
    return ImageSignal().ready(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2))


def levels(image: Tensor) -> npt.NDArray[np.float64]:
    """The only image's levels of 0 to 255: (H, W, C)."""
    [only] = to_levels(image.double()).permute(0, 2, 3, 1)
    rows: npt.NDArray[np.float64] = only.numpy()
    return rows


def psnr(image: npt.NDArray[np.float64], other: Pixels) -> float:
    """The peak signal-to-noise ratio in dB."""
    return float(10 * np.log10(255**2 / np.mean((image - other) ** 2)))


def draws(count: int = 1, first: int = 0, seed: int = 0) -> RandomStream:
    """Those of so many images."""
    return RandomStream(seed, "given", first, count, torch.device("cpu"))
