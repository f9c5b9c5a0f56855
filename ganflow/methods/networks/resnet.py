"""The ResNets of SNGAN (Miyato et al., 2018, tables 4 to 6) at 32, 48, 64 and 128 pixels.

Without spectral normalisation and with the mean over its last map the discriminator is WGAN-GP's (Gulrajani et al.,
2017, appendix F), whose generator at 32 pixels is half as wide as SNGAN's. At 64 and 128 pixels the channels are those
of the projection discriminator's paper (Miyato & Koyama, 2018), and so is the conditioning.
"""

from functools import partial
from itertools import pairwise
from math import prod, sqrt

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.networks.base import Discriminator
from ganflow.methods.networks.layers.conditioning import ConditionalBatchNorm2d, Head
from ganflow.methods.networks.layers.residual import DownBlock, Table, UpBlock, down_blocks, table_of
from ganflow.methods.networks.layers.spectral_norm import normalise_spectrally

TABLES = {
    32: Table(start=4, up=(4, 4, 4, 4), down=(2, 2, 2, 2), halvings=2),
    48: Table(start=6, up=(8, 4, 2, 1), down=(1, 2, 4, 8, 16), halvings=4),
    64: Table(start=4, up=(16, 8, 4, 2, 1), down=(1, 2, 4, 8, 16), halvings=5),
    128: Table(start=4, up=(16, 16, 8, 4, 2, 1), down=(1, 2, 4, 8, 16, 16), halvings=5),
}


def _initialise(network: nn.Module) -> None:
    """Glorot's uniform weights, times √2 where a ReLU comes before, and no biases: as in SNGAN's code."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, UpBlock | DownBlock):
            for conv in (module.conv1, module.conv2):
                nn.init.xavier_uniform_(conv.weight, gain=sqrt(2))


@component("generator", "resnet")
class ResNetGenerator(nn.Module):
    """A dense layer to the first map, residual blocks that double it, a convolution; classes enter by normalisation.

    ``width`` is the number of channels before the last layer, and at 32 pixels a quarter of it.
    """

    def __init__(self, latent_dim: int, resolution: int, channels: int, num_classes: int, width: int = 64) -> None:
        super().__init__()
        require(width > 0, "width", width, "must be more than 0")
        table = table_of(TABLES, "resnet", resolution)
        widths = [width * times for times in table.up]
        self.shape = (widths[0], table.start, table.start)
        self.dense = nn.Linear(latent_dim, prod(self.shape))
        norm = partial(ConditionalBatchNorm2d, num_classes=num_classes)
        self.blocks = nn.ModuleList(UpBlock(before, after, norm) for before, after in pairwise(widths))
        last = nn.Conv2d(widths[-1], channels, 3, padding=1)
        self.last = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU(), last, nn.Tanh())
        _initialise(self)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        h = self.dense(z).unflatten(1, self.shape)
        for block in self.blocks:
            h = block(h, labels)
        images: Tensor = self.last(h)
        return images


@component("discriminator", "resnet")
class ResNetDiscriminator(Discriminator):
    """Residual blocks that halve the map, then a dense layer over the last map's sum (SNGAN) or mean (WGAN-GP).

    ``width`` is the number of channels after the first block, and at 32 pixels half of it. ``pooling`` is ``sum`` or
    ``mean``: the same networks but for the size of their first logits and slopes, 64 times as small at 32 pixels.
    """

    def __init__(
        self,
        resolution: int,
        channels: int,
        num_classes: int,
        conditioning: str,
        width: int = 64,
        spectral_norm: bool = True,
        pooling: str = "sum",
    ) -> None:
        super().__init__()
        require(width > 0, "width", width, "must be more than 0")
        require(pooling in ("sum", "mean"), "pooling", pooling, "one of sum, mean")
        self.pool = torch.sum if pooling == "sum" else torch.mean
        table = table_of(TABLES, "resnet", resolution)
        widths = [width * times for times in table.down]
        self.blocks = nn.Sequential(*down_blocks(channels, widths, table.halvings, wide=False))
        self.head = Head(widths[-1], num_classes, conditioning, spectral_norm)
        _initialise(self)
        if spectral_norm:
            normalise_spectrally(self)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        logits: Tensor = self.head(self.pool(relu(self.blocks(images)), (2, 3)), labels)
        return logits
