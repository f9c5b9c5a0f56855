"""Differentiable augmentation (Zhao et al., 2020)."""

import functools
from typing import Any

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.distributed.rng import RandomStream
from ganflow.errors import require
from ganflow.methods.augment.base import Augmentation, in_float32


@component("augmentation", "diffaugment")
class DiffAugment(Augmentation):
    """Section 3.2's policies, always and in the order in which they are listed.

    ``color``: brightness +U(−½, ½), saturation ×U(0, 2) about each pixel's mean (of three channels only), contrast
    ×U(½, 3/2) about the image's mean. ``translation``: by up to an eighth of each side, zeros move in. ``cutout``:
    a square of half the side around any pixel, as far as it lies inside, becomes zero.
    """

    def __init__(
        self,
        policy: list[str] = ["color", "translation", "cutout"],  # noqa: B006 - read only, a configuration default
    ) -> None:
        super().__init__()
        sound = 0 < len(policy) == len(set(policy) & set(POLICIES))
        require(sound, "policy", policy, f"one or more of {', '.join(POLICIES)}")
        self.policy = policy

    @in_float32
    def forward(self, images: Tensor, draw: RandomStream) -> Tensor:
        for name in self.policy:
            images = POLICIES[name](images, draw.uniform(name, 3 if name == "color" else 2).to(images.dtype))
        return images


def color(images: Tensor, u: Tensor) -> Tensor:
    """Images (N, C, H, W) by uniform draws (N, 3): brightness, saturation, contrast."""
    brightness, saturation, contrast = (column.view(-1, 1, 1, 1) for column in u.unbind(1))
    images = images + (brightness - 0.5)
    if images.shape[1] == 3:
        grey = images.mean(1, keepdim=True)
        images = grey + (images - grey) * (2 * saturation)
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * (contrast + 0.5)


def translation(images: Tensor, u: Tensor) -> Tensor:
    """Images (N, C, H, W) by uniform draws (N, 2): down and to the right."""
    for dim, along in ((2, u[:, 0]), (3, u[:, 1])):
        size = images.shape[dim]
        reach = int(size / 8 + 0.5)
        shift = (along * (2 * reach + 1)).floor().long() - reach
        source = torch.arange(size, device=images.device) - shift[:, None]  # (N, size)
        shape = (-1, 1, size, 1) if dim == 2 else (-1, 1, 1, size)
        inside = ((source >= 0) & (source < size)).view(shape)
        images = images.gather(dim, source.clamp(0, size - 1).view(shape).expand_as(images)) * inside
    return images


def cutout(images: Tensor, u: Tensor, on: Tensor | None = None) -> Tensor:
    """Images (N, C, H, W) by uniform draws (N, 2): the row and the column in the middle of the square.

    Only images of which ``on`` (N,) is true lose one.
    """
    height, width = images.shape[2:]
    pixels, sides, places, back = _squares(height, width, u.dtype, u.device)
    offset = pixels - ((u * places).floor() - back)[..., None]
    within = (offset >= 0) & (offset < sides)  # (N, 2, the larger side)
    square = within[:, 0, :height, None] & within[:, 1, None, :width]
    square = square if on is None else square & on[:, None, None]
    return images.masked_fill(square[:, None], 0)


@functools.cache
def _squares(height: int, width: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, ...]:
    """Pixels along an axis, a square's sides (2, 1), the places (2,) of its middle, and from there to its first pixel.

    Only to be read.
    """
    sides = [int(size / 2 + 0.5) for size in (height, width)]
    places = [size + 1 - side % 2 for size, side in zip((height, width), sides, strict=True)]
    numbers: tuple[Any, ...] = (range(max(height, width)), [[side] for side in sides], places, [s // 2 for s in sides])
    return tuple(torch.tensor(list(values), dtype=dtype).to(device) for values in numbers)


POLICIES = {"color": color, "translation": translation, "cutout": cutout}
