"""Enlarging by a whole factor: the simple way, and the layers of super-resolution networks (Shi et al., 2016)."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganflow.errors import require
from ganflow.signals.base import Shape

FACTORS = (1, 2, 3, 4, 8)
SMALL = 0.1  # times the first weights that torch draws


def factor_between(name: str, given: Shape, shape: Shape) -> int:
    """The factor by which a network enlarges what it is given.

    Raises:
        ConfigError: not one of :data:`FACTORS` for both sides.
    """
    factor, (rows, columns) = shape[1] // given[1], given[1:]
    fits = factor in FACTORS and shape[1:] == (factor * rows, factor * columns)
    sizes = f"cannot make {shape[2]}×{shape[1]} images of {columns}×{rows}"
    require(fits, "name", name, f"{sizes}; it enlarges by {', '.join(map(str, FACTORS[:-1]))} or {FACTORS[-1]}")
    return factor


def image_channels(name: str, given: Shape, shape: Shape) -> int:
    """The number of channels of given, from the first, that are an image: as many as it makes, or a grey one.

    Raises:
        ConfigError: given is neither such an image nor one with a mask behind it.
    """
    channels = shape[0] if given[0] in (shape[0], shape[0] + 1) else 1
    misfit = f"cannot make images of {shape[0]} channels of {given[0]}"
    require(given[0] - channels in (0, 1), "name", name, misfit)
    return channels


def enlarged(images: Tensor, factor: int) -> Tensor:
    """Bicubic enlargement of (N, C, H, W), as Pillow has it: (N, C, factor·H, factor·W)."""
    if factor == 1:
        return images
    size = [factor * side for side in images.shape[2:]]
    return interpolate(images, size=size, mode="bicubic", antialias=True)


def steps_to(factor: int) -> list[int]:
    """The factors of the stages that together enlarge so: a three or as many twos."""
    return [3] if factor == 3 else [2] * (factor.bit_length() - 1)


def shuffled(width: int, factor: int, activation: Callable[[], nn.Module] | None = None) -> Iterator[nn.Module]:
    """Layers that enlarge a map of ``width`` channels: convolutions to the pixels of a larger one, put in their places.

    Args:
        width: channels, before and after.
        factor: of both sides.
        activation: makes what follows each stage.
    """
    for step in steps_to(factor):
        yield nn.Conv2d(width, width * step**2, 3, padding=1)
        yield nn.PixelShuffle(step)
        if activation is not None:
            yield activation()


@torch.no_grad()
def start_small(layer: nn.Conv2d) -> nn.Conv2d:
    """The last layer, with weights and bias so small that images begin near the simple enlargement."""
    for parameter in layer.parameters():
        parameter.mul_(SMALL)
    return layer
