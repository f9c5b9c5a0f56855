"""Pix2pix's U-Net (Isola et al., 2017, "Image-to-image translation with conditional adversarial networks", 6.1.1)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.networks.restoration.base import RestorationGenerator, checked_given
from ganflow.signals.base import Shape

KERNEL, WIDEST = 4, 8  # channels in multiples of the width
MOST = 8  # levels: the paper's at 256 pixels
DROPPED = 3  # layers with dropout, the decoder's first
SLOPE = 0.2
NORMS: dict[str, type[nn.Module]] = {
    "instance": nn.InstanceNorm2d, "batch": nn.BatchNorm2d, "none": nn.Identity,
}  # fmt: skip


@component("generator", "unet")
class UNetGenerator(RestorationGenerator):
    """Convolutions that halve the map ``levels`` times, transposed ones that double it, each beside the map it mirrors.

    All are 4×4, with ``width`` channels at half the size and twice as many at each level below, up to eight times; tanh
    is the end. By default there are as many levels as the sides can be halved, at most eight.

    z and the class's embedding join the innermost map by a 1×1 convolution and a ReLU: normalisation takes away most of
    what is merely added at every place. The authors have no z but dropout of a half, in use too; ``dropout=0.5`` is
    theirs in training. They normalise over the batch, by its own statistics in use too, which at their batch of one is
    over the image: so it is here by default, and ``norm=batch`` has running statistics.
    """

    def __init__(
        self,
        latent_dim: int,
        shape: Shape,
        given: Shape | None,
        num_classes: int,
        width: int = 64,
        levels: int | None = None,
        norm: str = "instance",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        given = checked_given("unet", given)
        sizes = f"cannot make {shape[2]}×{shape[1]} images of {given[2]}×{given[1]}; set gan/generator=edsr"
        require(given[1:] == shape[1:], "name", "unet", sizes)
        require(width > 0, "width", width, "must be more than 0")
        require(norm in NORMS, "norm", norm, f"one of {', '.join(NORMS)}")
        require(0 <= dropout < 1, "dropout", dropout, "0 to less than 1")
        levels = _checked_levels(levels, shape)
        self.multiple = 2**levels
        widths = [width * min(2**level, WIDEST) for level in range(levels)]
        self.first = nn.Conv2d(given[0], width, KERNEL, 2, 1)
        norms = [norm] * (levels - 2) + ["none"]  # the innermost map would be nothing but zeros at 1×1
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(_halving(*pair, kind) for pair, kind in zip(pairs, norms, strict=False))
        self.embedding = nn.Embedding(num_classes, width) if num_classes else None
        joining = latent_dim + (width if num_classes else 0)
        self.join = nn.Conv2d(widths[-1] + joining, widths[-1], 1) if joining else None
        inputs = [widths[-1], *(2 * after for after in widths[-2::-1])]  # each but the first beside the map it mirrors
        dropouts = [dropout if index < DROPPED else 0.0 for index in range(levels)]
        layers = zip(inputs, widths[-2::-1], dropouts, strict=False)
        self.up = nn.ModuleList(_doubling(before, after, norm, share) for before, after, share in layers)
        self.last = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(inputs[-1], shape[0], KERNEL, 2, 1), nn.Tanh())
        _initialise(self)

    def forward(self, z: Tensor, labels: Tensor | None, given: Tensor) -> Tensor:
        maps = [self.first(given)]
        for layer in self.down:
            maps.append(layer(maps[-1]))
        h = self._joined(maps.pop(), z, labels)
        for layer in self.up:
            h = torch.cat([maps.pop(), layer(h)], dim=1)
        images: Tensor = self.last(h)
        return images

    def _joined(self, h: Tensor, z: Tensor, labels: Tensor | None) -> Tensor:
        """The innermost map with z and the class at every place: (N, C, H, W) → the same."""
        if self.join is None:
            return h
        vector = z if self.embedding is None else torch.cat([z, self.embedding(labels)], dim=1)
        joined: Tensor = self.join(torch.cat([h, vector[:, :, None, None].expand(-1, -1, *h.shape[2:])], dim=1))
        return joined


def _checked_levels(levels: int | None, shape: Shape) -> int:
    """The number of times that the map is halved.

    Raises:
        ConfigError: the sides cannot be halved, or not so often.
    """
    size = f"{shape[2]}×{shape[1]}"
    most = min((side & -side).bit_length() - 1 for side in shape[1:])
    require(most > 0, "name", "unet", f"cannot make {size} images; set data.resize to an even side, such as 32 or 64")
    levels = min(MOST, most) if levels is None else levels
    require(1 <= levels <= most, "levels", levels, f"1 to {most} for images of {size}")
    return levels


def _halving(before: int, after: int, norm: str) -> nn.Module:
    conv = nn.Conv2d(before, after, KERNEL, 2, 1, bias=norm == "none")
    return nn.Sequential(nn.LeakyReLU(SLOPE), conv, NORMS[norm](after))


def _doubling(before: int, after: int, norm: str, dropout: float) -> nn.Module:
    conv = nn.ConvTranspose2d(before, after, KERNEL, 2, 1, bias=norm == "none")
    return nn.Sequential(nn.ReLU(), conv, NORMS[norm](after), nn.Dropout(dropout))


def _initialise(network: nn.Module) -> None:
    """Weights from N(0, 0.02) as in the paper's section 6.2, biases 0; batch normalisation's gains from N(1, 0.02)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, mean=1.0, std=0.02)
