"""BigGAN (Brock et al., 2019, appendix B) at 32, 64 and 128 pixels, with self-attention (Zhang et al., 2019)."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.networks.base import Discriminator
from ganflow.methods.networks.layers.conditioning import ConditionalBatchNorm2d, Head, VectorBatchNorm2d
from ganflow.methods.networks.layers.residual import Table, UpBlock, down_blocks, table_of
from ganflow.methods.networks.layers.spectral_norm import normalise_spectrally

TABLES = {
    32: Table(start=4, up=(4, 4, 4, 4), down=(4, 4, 4, 4), halvings=2),
    64: Table(start=4, up=(16, 16, 8, 4, 2), down=(1, 2, 4, 8, 16), halvings=4),
    128: Table(start=4, up=(16, 16, 8, 4, 2, 1), down=(1, 2, 4, 8, 16, 16), halvings=5),
}
INITS = ("orthogonal", "normal")


class SelfAttention(nn.Module):
    """``x + γ·o``, where o looks at all of the map: (N, channels, R, R) → the same.

    Keys and values are of half the side, queries and keys of an eighth of the channels; γ starts at 0.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner, values = max(1, channels // 8), max(1, channels // 2)
        self.query = nn.Conv2d(channels, inner, 1, bias=False)
        self.key = nn.Conv2d(channels, inner, 1, bias=False)
        self.value = nn.Conv2d(channels, values, 1, bias=False)
        self.out = nn.Conv2d(values, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        query = self.query(x).flatten(2)  # (N, inner, R²)
        key = max_pool2d(self.key(x), 2).flatten(2)  # (N, inner, R²/4)
        value = max_pool2d(self.value(x), 2).flatten(2)  # (N, values, R²/4)
        weights = torch.bmm(query.mT, key).softmax(2)  # (N, R², R²/4)
        gathered = torch.bmm(value, weights.mT).unflatten(2, x.shape[2:])
        attended: Tensor = x + self.gamma * self.out(gathered)
        return attended


def _width(width: int | None, resolution: int) -> int:
    require(width is None or width > 0, "width", width, "must be more than 0, or null for the paper's")
    return width or (64 if resolution == 32 else 96)


def _attention(attention: int | None, resolution: int, sides: list[int]) -> list[bool]:
    """After which block there is attention: the first whose map has that side."""
    map_sides = ", ".join(map(str, sorted(set(sides))))
    allowed = f"a side of the maps: {map_sides}; 0 for none, or null for half the images' side"
    require(attention in (None, 0, *sides), "attention", attention, allowed)
    side = resolution // 2 if attention is None else attention
    return [index == sides.index(side) if side else False for index in range(len(sides))]


def _initialise(network: nn.Module, init: str) -> None:
    """Orthogonal weights (Saxe et al., 2014), or from N(0, 0.02); gains of classes are 1 more."""
    require(init in INITS, "init", init, f"one of {', '.join(INITS)}")
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
            if init == "orthogonal":
                nn.init.orthogonal_(module.weight)
            else:
                nn.init.normal_(module.weight, std=0.02)
    for module in network.modules():
        if isinstance(module, ConditionalBatchNorm2d) and module.gain is not None:
            module.gain.weight.data.add_(1.0)


@component("generator", "biggan")
class BigGANGenerator(nn.Module):
    """z is dealt out: a part to the first map, and one to every block, where with the class it sets gains and biases.

    ``width`` is the paper's ch, ``shared`` the length of the one embedding of the class that all blocks share. With
    ``shared=0`` every normalisation has an embedding of its own and the first map all of z, as in the authors' script
    for CIFAR-10, whose weights are ``init=normal``.
    """

    def __init__(
        self,
        latent_dim: int,
        resolution: int,
        channels: int,
        num_classes: int,
        width: int | None = None,
        attention: int | None = None,
        shared: int = 128,
        spectral_norm: bool = True,
        init: str = "orthogonal",
    ) -> None:
        super().__init__()
        require(shared >= 0, "shared", shared, "0 (an embedding of each normalisation's own) or more")
        table = table_of(TABLES, "biggan", resolution)
        widths = [_width(width, resolution) * times for times in table.up]
        slots = len(widths)  # the first map and every block
        fits = not shared or latent_dim >= slots
        require(fits, "name", "biggan", f"needs gan.latent_dim of at least {slots}, one per map")
        self.embedding = nn.Embedding(num_classes, shared) if num_classes and shared else None
        self.shape = (widths[0], table.start, table.start)
        norms: list[Callable[[int], nn.Module]]
        if shared:
            self.parts = [latent_dim // slots + (slot < latent_dim % slots) for slot in range(slots)]
            norms = [partial(VectorBatchNorm2d, size=part + shared * bool(num_classes)) for part in self.parts[1:]]
        else:
            self.parts = [latent_dim]
            norms = [partial(ConditionalBatchNorm2d, num_classes=num_classes)] * (slots - 1)
        self.dense = nn.Linear(self.parts[0], prod(self.shape))
        blocks = zip(pairwise(widths), norms, strict=True)
        self.blocks = nn.ModuleList(UpBlock(before, after, norm) for (before, after), norm in blocks)
        sides = [table.start << level for level in range(1, slots)]
        attended = zip(_attention(attention, resolution, sides), widths[1:], strict=True)
        self.attend = nn.ModuleList(SelfAttention(after) if attends else nn.Identity() for attends, after in attended)
        last = nn.Conv2d(widths[-1], channels, 3, padding=1)
        self.last = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU(), last, nn.Tanh())
        _initialise(self, init)
        if spectral_norm:  # not of embeddings, which BigGAN's code found to cripple G
            normalise_spectrally(self, (nn.Linear, nn.Conv2d))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        first, *parts = z.split(self.parts, dim=1)
        if self.embedding is not None:
            shared = self.embedding(labels)
            parts = [torch.cat([shared, part], dim=1) for part in parts]
        conditions = parts or [labels] * len(self.blocks)
        h = self.dense(first).unflatten(1, self.shape)
        for block, attend, condition in zip(self.blocks, self.attend, conditions, strict=True):
            h = attend(block(h, condition))
        images: Tensor = self.last(h)
        return images


@component("discriminator", "biggan")
class BigGANDiscriminator(Discriminator):
    """Residual blocks that halve the map, then a dense layer over the sum of the last; ``width`` is the paper's ch."""

    def __init__(
        self,
        resolution: int,
        channels: int,
        num_classes: int,
        conditioning: str,
        width: int | None = None,
        attention: int | None = None,
        spectral_norm: bool = True,
        init: str = "orthogonal",
    ) -> None:
        super().__init__()
        table = table_of(TABLES, "biggan", resolution)
        widths = [_width(width, resolution) * times for times in table.down]
        sides = [resolution >> min(block, table.halvings) for block in range(1, len(widths) + 1)]
        attended = _attention(attention, resolution, sides)
        blocks = down_blocks(channels, widths, table.halvings, wide=True)
        layers: list[nn.Module] = []
        for block, after, attends in zip(blocks, widths, attended, strict=True):
            layers += [block, SelfAttention(after)] if attends else [block]
        self.layers = nn.Sequential(*layers)
        self.head = Head(widths[-1], num_classes, conditioning, spectral_norm)
        _initialise(self, init)
        if spectral_norm:
            normalise_spectrally(self)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        logits: Tensor = self.head(relu(self.layers(images)).sum((2, 3)), labels)
        return logits
