"""Pixels as levels of 0 to 255, of which a file holds whole ones."""

from torch import Tensor

HALF = 0.5 + 2.0**-10  # float32 has some halves of a level a hair too low


def to_levels(images: Tensor) -> Tensor:
    """Images in [-1, 1] as levels, not rounded."""
    return (images + 1) * 127.5


def to_images(levels: Tensor) -> Tensor:
    """Levels as images in [-1, 1]."""
    return levels / 127.5 - 1


def whole(levels: Tensor) -> Tensor:
    """The nearest whole levels, halves upward, within 0 to 255."""
    return (levels + HALF).floor().clamp(0, 255)
