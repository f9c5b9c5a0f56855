"""Residual blocks with the activation first, as the ResNets of SNGAN (Miyato et al., 2018) and BigGAN share them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from ganflow.errors import require
from ganflow.methods.networks.layers.resampled_conv import DoublingConv2d, HalvingConv2d


@dataclass(frozen=True)
class Table:
    """The maps of both networks at one resolution, in multiples of ``width``."""

    start: int  # side of the generator's first map; every block doubles it
    up: tuple[int, ...]  # channels of the generator's maps, the first one's included
    down: tuple[int, ...]  # channels after each block of the discriminator
    halvings: int  # so many of its blocks, the first ones, halve the map


def table_of(tables: Mapping[int, Table], name: str, resolution: int) -> Table:
    """The network's table for images of this side, or a refusal."""
    *some, last = map(str, tables)
    sizes = f"{', '.join(some)} or {last}"
    misfit = f"cannot make {resolution}×{resolution} images; set data.resize to {sizes}"
    require(resolution in tables, "name", name, misfit)
    return tables[resolution]


class UpBlock(nn.Module):
    """(N, before, R, R) → (N, after, 2R, 2R).

    Args:
        before: channels that come in.
        after: channels that go out.
        norm: makes a normalisation of so many channels, which is called on maps and a condition.
    """

    def __init__(self, before: int, after: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm(before), norm(after)
        self.conv1 = DoublingConv2d(before, after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.shortcut = nn.Conv2d(before, after, 1)

    def forward(self, h: Tensor, condition: Tensor | None) -> Tensor:
        residual = self.conv1(relu(self.norm1(h, condition)))
        residual = self.conv2(relu(self.norm2(residual, condition)))
        # Doubling after a 1×1 convolution is the same, and cheaper.
        doubled: Tensor = residual + interpolate(self.shortcut(h), scale_factor=2.0)
        return doubled


class DownBlock(nn.Module):
    """(N, before, R, R) → (N, after, R/2, R/2), or of side R where it does not halve.

    Args:
        before: channels that come in.
        after: channels that go out.
        hidden: channels between the two convolutions.
        halve: whether the side is halved.
        first: whether it takes images, which no activation comes before.
    """

    def __init__(self, before: int, after: int, hidden: int, halve: bool, first: bool) -> None:
        super().__init__()
        self.halve, self.first = halve, first
        self.conv1 = nn.Conv2d(before, hidden, 3, padding=1)
        self.conv2 = HalvingConv2d(hidden, after) if halve else nn.Conv2d(hidden, after, 3, padding=1)
        self.shortcut = nn.Conv2d(before, after, 1) if halve or before != after else nn.Identity()

    def forward(self, h: Tensor) -> Tensor:
        residual = self.conv2(relu(self.conv1(h if self.first else relu(h))))
        # The mean before a 1×1 convolution is the same, and cheaper.
        halved: Tensor = residual + self.shortcut(avg_pool2d(h, 2) if self.halve else h)
        return halved


def down_blocks(channels: int, widths: Sequence[int], halvings: int, wide: bool) -> list[DownBlock]:
    """A discriminator's blocks; inside, ``wide`` ones have as many channels as after (BigGAN), others as before."""
    return [
        DownBlock(before, after, after if wide or index == 0 else before, index < halvings, index == 0)
        for index, (before, after) in enumerate(pairwise([channels, *widths]))
    ]
