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
    """What images (N, C, H, W) show at the places that ``inverse`` names; beyond their edges they are mirrored."""
    height, width = images.shape[-2:]
    y = torch.arange(height, dtype=images.dtype, device=images.device)[:, None] - (height - 1) / 2
    x = torch.arange(width, dtype=images.dtype, device=images.device) - (width - 1) / 2
    (a, b, c, d), (e, f) = inverse.linear.flatten(1).T[..., None, None], inverse.offset.T[..., None, None]
    return bilinear(images, a * x + b * y + e + (width - 1) / 2, c * x + d * y + f + (height - 1) / 2)


def bilinear(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Images (N, C, H, W) at columns x and rows y, both (N, H', W'): linear in the images. H, W ≥ 2."""
    height, width = images.shape[-2:]
    (left, to_right), (top, to_bottom) = _cell(x, width), _cell(y, height)
    corner = (top * width + left).flatten(1)[:, None].expand(-1, images.shape[1], -1)
    flat = images.flatten(2)

    def blend(place: Tensor) -> Tensor:  # of two neighbours in a row, (N, C, H', W')
        one, other = (flat.gather(2, at).view(*images.shape[:2], *x.shape[1:]) for at in (place, place + 1))
        return one * (1 - to_right)[:, None] + other * to_right[:, None]

    above, below = blend(corner), blend(corner + width)
    return above * (1 - to_bottom)[:, None] + below * to_bottom[:, None]


def _cell(place: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The pixel before a place, mirrored about the outermost ones, and how far from there to the next the place is."""
    inside = (size - 1) - (place.remainder(2 * (size - 1)) - (size - 1)).abs()
    pixel = inside.floor().clamp(0, size - 2)
    return pixel.long(), inside - pixel


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
