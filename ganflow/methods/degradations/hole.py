"""Hidden pixels: the field's test of inpainting (Pathak et al., 2016, context encoders)."""

import math

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.distributed.rng import RandomStream
from ganflow.errors import require
from ganflow.methods.degradations.base import Degradation
from ganflow.signals.base import Shape

SHARE = 0.25
STRETCH = 2.0  # a box is at most so many times as tall for its width as the image, and at least 1/STRETCH times
STROKES, SEGMENTS = 3, 4  # of a free form
REACH = 0.4  # the most that a segment goes down and across, in sides


@component("degradation", "hole")
class Hole(Degradation):
    """A ``share`` of the pixels becomes mid grey; one more channel, the mask, is 1 there and 0 elsewhere.

    ``box``: a rectangle of any place and form, its area as near as whole pixels allow. ``half``: the upper, lower, left
    or right half. ``irregular``: free-form strokes (after Yu et al., 2019) that are as wide as the share asks for.
    """

    masks = True

    def __init__(self, kind: str = "box", share: float = SHARE) -> None:
        require(kind in KINDS, "kind", kind, f"one of {', '.join(KINDS)}")
        require(0 < share < 1, "share", share, "more than 0, less than 1")
        require(kind != "half" or share == SHARE, "share", share, "is not for kind=half; leave it out")
        self.kind, self.share = kind, share

    def shape(self, shape: Shape) -> Shape:
        channels, height, width = shape
        some = min(height, width) >= 2 and 0 < round(self.share * height * width) < height * width
        require(some, "share", self.share, f"hides none or all of the pixels of images of {width}x{height}")
        return channels + 1, height, width

    def __call__(self, images: Tensor, draw: RandomStream) -> Tensor:
        height, width = images.shape[-2:]
        hidden = KINDS[self.kind](draw, height, width, round(self.share * height * width))[:, None]
        return torch.cat([images.masked_fill(hidden, 0.0), hidden.to(images.dtype)], 1)

    def simple(self, given: Tensor) -> Tensor:
        """Each image's hidden pixels as the mean of its visible ones, by channel."""
        images, hidden = given[:, :-1], given[:, -1:] > 0
        visible = (~hidden).sum((2, 3), keepdim=True)
        mean = images.masked_fill(hidden, 0.0).sum((2, 3), keepdim=True) / visible
        return torch.where(hidden, mean, images)


def box(draw: RandomStream, height: int, width: int, pixels: int) -> Tensor:
    """A rectangle of about so many pixels in each image: true (N, H, W) inside."""
    share = pixels / (height * width)
    low = max(math.ceil(pixels / width), round(height * math.sqrt(share / STRETCH)), 1)
    high = max(low, min(height, round(height * math.sqrt(share * STRETCH))))
    of_height, of_top, of_left = draw.uniform("box", 3, 1, 1).unbind(1)  # (N, 1, 1) each
    rows = low + (of_height * (high - low + 1)).floor()
    columns = (pixels / rows).round().clamp(min=1)
    columns = columns.minimum(width - (rows == height).float())  # something stays visible
    top = (of_top * (height - rows + 1)).floor()
    left = (of_left * (width - columns + 1)).floor()
    y, x = _pixels(height, width, draw.device)
    return (y >= top) & (y < top + rows) & (x >= left) & (x < left + columns)


def half(draw: RandomStream, height: int, width: int, pixels: int) -> Tensor:
    """One of the four halves of each image: true (N, H, W) inside; the upper and the left one have the odd row less."""
    upright, other = (draw.uniform("half", 2, 1, 1) < 0.5).unbind(1)
    y, x = _pixels(height, width, draw.device)
    return torch.where(upright, y < height // 2, x < width // 2) ^ other


def irregular(draw: RandomStream, height: int, width: int, pixels: int) -> Tensor:
    """Just so many pixels of each image, those nearest to its strokes: true (N, H, W) there."""
    walks = draw.uniform("strokes", 2, STROKES, SEGMENTS + 1)
    down, across = _corners(walks[:, 0]) * height, _corners(walks[:, 1]) * width
    nearest = _distance(down, across, height, width).flatten(1).argsort(stable=True)[:, :pixels]
    hidden = torch.zeros(draw.count, height * width, dtype=torch.bool, device=draw.device)
    return hidden.scatter(1, nearest, True).view(-1, height, width)


def _corners(u: Tensor) -> Tensor:
    """Random walks (N, STROKES, SEGMENTS + 1) within 0 to 1, at whose ends they turn round, by as many draws."""
    walk = torch.cat([u[:, :, :1], (2 * u[:, :, 1:] - 1) * REACH], 2).cumsum(2)
    return 1 - (walk.remainder(2) - 1).abs()


def _distance(down: Tensor, across: Tensor, height: int, width: int) -> Tensor:
    """Squared distances (N, H, W) of pixels to the nearest segment between corners (N, STROKES, SEGMENTS + 1)."""
    y, x = (places + 0.5 for places in _pixels(height, width, down.device))
    nearest = torch.full((len(down), height, width), math.inf, device=down.device)
    for k in range(STROKES * SEGMENTS):
        stroke, i = divmod(k, SEGMENTS)
        (y0, y1), (x0, x1) = (ends[:, stroke, i : i + 2, None, None].unbind(1) for ends in (down, across))
        dy, dx = y1 - y0, x1 - x0
        at = (((y - y0) * dy + (x - x0) * dx) / (dy * dy + dx * dx).clamp(min=1e-9)).clamp(0, 1)  # 0 at its first end
        off_y, off_x = y - y0 - at * dy, x - x0 - at * dx
        nearest = nearest.minimum(off_y * off_y + off_x * off_x)
    return nearest


def _pixels(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows (H, 1) and columns (W,) of pixels."""
    return torch.arange(height, device=device)[:, None], torch.arange(width, device=device)


KINDS = {"box": box, "half": half, "irregular": irregular}
