"""Parts of networks whose maps are doubled or halved from stage to stage."""

import torch
from torch import Tensor, nn

from ganflow.errors import ConfigError, require
from ganflow.methods.networks.layers.grouped import conv2d, conv_transpose2d


def stages(name: str, resolution: int, starts: tuple[int, ...], width: int, halve_after: int) -> list[tuple[int, int]]:
    """(side, channels) of every stage, from the smallest map to that of the images.

    Args:
        name: the network, for the error.
        resolution: side of the images, a ``start`` doubled at least once.
        starts: sides that the smallest map may have.
        width: channels of every stage up to ``halve_after`` pixels; each doubling beyond halves them.

    Raises:
        ConfigError: images of another size, or no channels left for the largest map.
    """
    require(width > 0, "width", width, "must be more than 0")
    require(halve_after > 0, "halve_after", halve_after, "must be more than 0")
    maps = [(side, width >> ((side - 1) // halve_after).bit_length()) for side in _sides(name, resolution, starts)]
    require(maps[-1][1] > 0, "width", width, f"leaves no channels at {resolution} pixels; raise it or halve_after")
    return maps


def _sides(name: str, resolution: int, starts: tuple[int, ...]) -> list[int]:
    levels = range(1, resolution.bit_length() + 1)
    ends = {start << level: [start << i for i in range(level + 1)] for start in starts for level in levels}
    if resolution not in ends:
        hint = min(end for end in ends if end > resolution)
        raise ConfigError("name", name, f"cannot make {resolution}×{resolution} images; set data.resize={hint}")
    return ends[resolution]


class _Binomial(nn.Module):
    """The low-pass filter [1, 3, 3, 1] in both directions, one channel at a time; outside of the map is zero."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("kernel", torch.outer(taps, taps), persistent=False)

    def each(self, x: Tensor) -> Tensor:
        """The kernel once per channel, for a grouped convolution: (C, 1, 4, 4)."""
        return self.kernel.expand(x.shape[1], 1, 4, 4)


class Upsample(_Binomial):
    """Zeros between the pixels, then the filter, four times as strong: (N, C, H, W) → (N, C, 2H, 2W)."""

    def forward(self, x: Tensor) -> Tensor:
        return conv_transpose2d(x, 4 * self.each(x), stride=2, padding=1, groups=x.shape[1])


class Downsample(_Binomial):
    """The filter, then every second pixel: (N, C, H, W) → (N, C, H/2, W/2)."""

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, self.each(x), stride=2, padding=1, groups=x.shape[1])


class Blur(_Binomial):
    """The filter alone, ``gain`` times as strong: a side H becomes H + 2·padding - 3."""

    def __init__(self, padding: int, gain: float = 1.0) -> None:
        super().__init__()
        self.padding, self.gain = padding, gain

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, self.gain * self.each(x), padding=self.padding, groups=x.shape[1])
