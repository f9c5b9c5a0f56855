"""Affine warps of images, with derivatives of every order with respect to the image.

torch's grid_sample has no second derivative, which R1 takes through the augmentation. Places (x, y) are in pixels
from the image's centre, y downward; a map leads from a place in the output to the one in the input that it shows.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Affine(NamedTuple):
    """``q → linear·q + offset``, one per image."""

    linear: Tensor  # (N, 2, 2)
    offset: Tensor  # (N, 2)

    def moves(self) -> Tensor:
        """False (N,) where the map leaves every place where it is."""
        neutral = torch.eye(2, dtype=self.linear.dtype, device=self.linear.device)
        return (self.linear != neutral).flatten(1).any(1) | (self.offset != 0).any(1)

    def after(self, first: "Affine") -> "Affine":
        """This map of what ``first`` gives."""
        return Affine(_product(self.linear, first.linear), _apply(self.linear, first.offset) + self.offset)


def blit(flip: Tensor, quarters: Tensor, shift: Tensor) -> Affine:
    """Mirror left and right, turn by 90° clockwise, move: the inverse of that, exact where the shift is whole.

    Shapes: flip (N,) of 0 and 1, quarters (N,) of 0 to 3, shift (N, 2) in pixels.
    """
    cos, sin = (quarters - 2).abs() - 1, 1 - (quarters - 1).abs()  # of whole quarters, without a rounded π
    back = _product(_diagonal(1 - 2 * flip, torch.ones_like(flip)), _matrix(cos, sin, -sin, cos))
    return Affine(back, -_apply(back, shift))


def deform(scale: Tensor, before: Tensor, stretch: Tensor, after: Tensor, shift: Tensor) -> Affine:
    """Scale, turn, stretch x by as much as y shrinks, turn again, move: the inverse of that.

    Shapes: scale and stretch (N,), factors; before and after (N,), clockwise in radians; shift (N, 2) in pixels.
    """
    unstretched = _product(_diagonal(1 / stretch, stretch), _rotation(-after))
    back = _product(_rotation(-before), unstretched) / scale[:, None, None]
    return Affine(back, -_apply(back, shift))


def warp(images: Tensor, inverse: Affine) -> Tensor:
    """Sample images (N, C, H, W) at the places that ``inverse`` names; beyond their edges they are mirrored.

    Bilinear, so exact where a map leads from pixels to pixels; all others are for
    :mod:`ganflow.methods.augment.resample`.
    """
    height, width = images.shape[-2:]
    y, x = (torch.arange(size, dtype=images.dtype, device=images.device) for size in (height, width))
    return bilinear(images, *places(inverse, x, y, (height, width)))


def places(inverse: Affine, x: Tensor, y: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Columns and rows (N, H', W') of the input that the output shows at its columns x (W',) and rows y (H',)."""
    height, width = size
    across, down = x - (width - 1) / 2, y[:, None] - (height - 1) / 2
    (a, b, c, d), (e, f) = inverse.linear.flatten(1).T[..., None, None], inverse.offset.T[..., None, None]
    return a * across + b * down + e + (width - 1) / 2, c * across + d * down + f + (height - 1) / 2


def bilinear(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Images (N, C, H, W) at columns x and rows y, both (N, H', W'): linear in the images. H, W ≥ 2."""
    height, width = images.shape[-2:]
    return blend(images, mirrored_cell(x, width), mirrored_cell(y, height))


class Cell(NamedTuple):
    """The pixel before a place along one axis, and how far from there to the next one the place is."""

    pixel: Tensor  # int64 (N, H', W'); the one after it exists, too
    share: Tensor  # (N, H', W'), 0 to 1


def mirrored_cell(place: Tensor, size: int) -> Cell:
    """The cell of a place that is mirrored about the outermost pixels as often as needed."""
    inside = mirrored(place, size)
    pixel = inside.floor().clamp(0, size - 2)
    return Cell(pixel.long(), inside - pixel)


def mirrored(place: Tensor, size: int) -> Tensor:
    """A place or an index, mirrored about the outermost pixels into [0, size - 1]; size ≥ 2."""
    return (size - 1) - (place.remainder(2 * (size - 1)) - (size - 1)).abs()


def blend(images: Tensor, column: Cell, row: Cell) -> Tensor:
    """The four pixels around every place, weighted by how near they are."""
    width = images.shape[-1]
    corner = (row.pixel * width + column.pixel).flatten(1)[:, None].expand(-1, images.shape[1], -1)
    flat, shape = images.flatten(2), (*images.shape[:2], *column.pixel.shape[1:])

    def along(place: Tensor) -> Tensor:  # of two neighbours in a row, (N, C, H', W')
        left, right = (flat.gather(2, at).view(shape) for at in (place, place + 1))
        return left * (1 - column.share)[:, None] + right * column.share[:, None]

    above, below = along(corner), along(corner + width)
    return above * (1 - row.share)[:, None] + below * row.share[:, None]


def _matrix(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    return torch.stack([a, b, c, d], -1).view(-1, 2, 2)


def _diagonal(a: Tensor, d: Tensor) -> Tensor:
    return torch.diag_embed(torch.stack([a, d], -1))


def _rotation(angle: Tensor) -> Tensor:
    cos, sin = angle.cos(), angle.sin()
    return _matrix(cos, -sin, sin, cos)


def _product(a: Tensor, b: Tensor) -> Tensor:
    # Not by matmul: TF32, where it is allowed, would move pixels.
    return (a[..., None] * b[:, None]).sum(2)


def _apply(a: Tensor, q: Tensor) -> Tensor:
    return (a * q[:, None]).sum(2)
