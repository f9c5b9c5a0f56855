"""Affine warps of images, with derivatives of every order with respect to the image.

torch's grid_sample has no second derivative, which R1 takes through the augmentation. Places (x, y) are in pixels
from the image's centre, y downward; a map, a homogeneous matrix (3, 3), leads from a place in the output to the one in
the input that it shows.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganflow.methods.augment.homogeneous import Matrices, identity

Numbers = npt.NDArray[Any]


def blit(flip: Numbers, quarters: Numbers, shift: Numbers) -> Matrices:
    """Mirror left and right, turn by 90° clockwise, move: the inverse of that, as the product of three maps.

    Exact where the shift is whole. Shapes: flip (N,) of 0 and 1, quarters (N,) of 0 to 3, shift (N, 2) in pixels;
    the maps (N, 3, 3, 3).
    """
    cos, sin = np.abs(quarters - 2) - 1, 1 - np.abs(quarters - 1)  # of whole quarters, without a rounded π
    return np.stack([_linear(1 - 2 * flip, 0, 0, 1), _linear(cos, sin, -sin, cos), _translation(-shift)], axis=1)


def deform(scale: Numbers, before: Numbers, stretch: Numbers, after: Numbers, shift: Numbers) -> Matrices:
    """Scale, turn, stretch x by as much as y shrinks, turn again, move: the inverse of that, as the product of five.

    Shapes: scale and stretch (N,), factors; before and after (N,), clockwise in radians; shift (N, 2) in pixels; the
    maps (N, 5, 3, 3).
    """
    inverses = [
        _rotation(-before),
        _linear(1 / stretch, 0, 0, stretch),
        _rotation(-after),
        _linear(1 / scale, 0, 0, 1 / scale),
        _translation(-shift),
    ]
    return np.stack(inverses, axis=1)


def _linear(a: Any, b: Any, c: Any, d: Any) -> Matrices:
    values = np.broadcast_arrays(a, b, c, d)
    matrices = np.tile(np.eye(3), (len(values[0]), 1, 1))
    matrices[:, :2, :2] = np.stack(values, axis=-1).reshape(-1, 2, 2)
    return matrices


def _rotation(angle: Numbers) -> Matrices:
    cos, sin = np.cos(angle), np.sin(angle)
    return _linear(cos, -sin, sin, cos)


def _translation(shift: Numbers) -> Matrices:
    matrices = np.tile(np.eye(3), (len(shift), 1, 1))
    matrices[:, :2, 2] = shift
    return matrices


def moves(inverse: Tensor) -> Tensor:
    """False (N,) where a map (N, 3, 3) leaves every place where it is."""
    return (inverse != identity(3, inverse.dtype, inverse.device)).flatten(1).any(1)


def warp(images: Tensor, inverse: Tensor) -> Tensor:
    """Sample images (N, C, H, W) at the places that maps (N, 3, 3) name; beyond their edges they are mirrored.

    Bilinear, so exact where a map leads from pixels to pixels; all others are for
    :mod:`ganflow.methods.augment.resample`.
    """
    (y, x), centre = _pixels(*images.shape[-2:], images.dtype, images.device)
    return bilinear(images, places(inverse[:, :2] + centre, x, y))


@functools.cache
def _pixels(height: int, width: int, dtype: torch.dtype, device: torch.device) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """The rows (H,) and columns (W,) from the centre on, and what is to be added to a map (2, 3) to count from 0."""
    rows, columns = (torch.arange(size, dtype=dtype) - (size - 1) / 2 for size in (height, width))
    centre = torch.zeros(2, 3, dtype=dtype)
    centre[:, 2] = torch.tensor([(width - 1) / 2, (height - 1) / 2])
    return (rows.to(device), columns.to(device)), centre.to(device)


def places(inverse: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Columns and rows (N, 2, H′, W′) to which maps (N, 2, 3) lead from columns x (W′,) and rows y (H′,)."""
    across, down, offset = inverse[..., None, None].unbind(2)
    return across * x + torch.addcmul(offset, down, y[:, None])


def bilinear(images: Tensor, place: Tensor) -> Tensor:
    """Images (N, C, H, W) at columns and rows (N, 2, H′, W′), mirrored: linear in the images. H, W ≥ 2."""
    return blend(images, _mirrored_cell(place, *images.shape[-2:]))


class Cell(NamedTuple):
    """The pixel before a place along each axis, and how far from there to the next one the place is."""

    pixel: Tensor  # int64 (N, 2, H′, W′): column and row; the ones after them exist, too
    share: Tensor  # (N, 2, H′, W′), 0 to 1


def _mirrored_cell(place: Tensor, height: int, width: int) -> Cell:
    """The cell of a place that is mirrored about the outermost pixels as often as needed."""
    inside = torch.stack([mirrored(place[:, 0], width), mirrored(place[:, 1], height)], dim=1)
    pixel = torch.minimum(inside.floor(), sizes(width - 2, height - 2, place.dtype, place.device))
    return Cell(pixel.long(), inside - pixel)


def mirrored(place: Tensor, size: int) -> Tensor:
    """A place or an index, mirrored about the outermost pixels into [0, size - 1]; size ≥ 2."""
    return (size - 1) - (place.remainder(2 * (size - 1)) - (size - 1)).abs()


@functools.cache
def sizes(width: int, height: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """One number for columns and one for rows: (2, 1, 1); only to be read."""
    return torch.tensor([width, height], dtype=dtype).view(2, 1, 1).to(device)


def blend(images: Tensor, cell: Cell) -> Tensor:
    """The four pixels around every place, weighted by how near they are: (N, C, H′, W′)."""
    (count, channels, _, width), shape = images.shape, cell.share.shape[2:]
    steps, at_hand, change = _corners(width, images.dtype, images.device)
    corner = torch.add(cell.pixel[:, 0], cell.pixel[:, 1], alpha=width)
    corners = (corner.flatten(1)[:, None] + steps).flatten(1)  # of the upper two, then of the lower two
    near = torch.addcmul(at_hand, cell.share[:, :, None], change)  # how near the pixel before is, and the next
    weights = near[:, 1, :, None] * near[:, 0, None]  # rows times columns
    gathered = images.flatten(2).gather(2, corners[:, None].expand(-1, channels, -1))
    return (gathered.view(count, channels, 4, *shape) * weights.view(count, 1, 4, *shape)).sum(2)


@functools.cache
def _corners(width: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Steps to four neighbours (4, 1), and the weights of two (2, 1, 1): for a share of 0, and their change with it."""
    steps = torch.tensor([[0], [1], [width], [width + 1]])
    at_hand, change = (torch.tensor(pair, dtype=dtype).view(2, 1, 1) for pair in ([1.0, 0.0], [-1.0, 1.0]))
    return steps.to(device), at_hand.to(device), change.to(device)
