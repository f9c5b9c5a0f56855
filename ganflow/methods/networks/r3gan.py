"""R3GAN's networks (Huang et al., 2024): inverted, grouped residual blocks without any normalisation.

The defaults are the paper's for Stacked MNIST, CIFAR-10 and FFHQ; for ImageNet it has ``width=1536 group=32``, and at
64 pixels ``halve_after=64``. Paper and code call width·expansion/group the cardinality.
"""

import math

import torch
from torch import Tensor, nn

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.networks.base import Discriminator
from ganflow.methods.networks.layers.conditioning import LatentInput
from ganflow.methods.networks.layers.grouped import conv2d
from ganflow.methods.networks.layers.pyramid import Downsample, Upsample, stages
from ganflow.methods.networks.layers.spectral_norm import normalise_spectrally

STARTS = (4, 7)
SLOPE = 0.2
GAIN = math.sqrt(2 / (1 + SLOPE**2))  # of LeakyReLU (He et al., 2015)


class GroupedConv2d(nn.Conv2d):
    """With its double backward in one piece; 'same' sides only."""

    def forward(self, x: Tensor) -> Tensor:
        y = conv2d(x, self.weight, padding=self.kernel_size[0] // 2, groups=self.groups)
        return y if self.bias is None else y + self.bias[:, None, None].to(y.dtype)


class ResidualBlock(nn.Module):
    """``x + W₃ σ(W₂ σ(W₁ x))``: 1×1 to ``expansion`` times the width, 3×3 in groups of ``group``, 1×1 back.

    Initialised as Fixup (Zhang et al., 2019) does for ``depth`` blocks of m = 3 layers: W₃ is zero, the others are
    scaled by ``depth^(-1/(2m - 2))``.
    """

    def __init__(self, width: int, expansion: int, group: int, depth: int) -> None:
        super().__init__()
        inner, gain = width * expansion, GAIN * depth**-0.25
        require(inner % group == 0, "group", group, f"must divide width·expansion of every stage, here {inner}")
        back = nn.Conv2d(inner, width, 1, bias=False)
        nn.init.zeros_(back.weight)
        self.layers = nn.Sequential(
            _initialised(nn.Conv2d(width, inner, 1), gain),
            nn.LeakyReLU(SLOPE),
            _initialised(GroupedConv2d(inner, inner, 3, padding=1, groups=inner // group), gain),
            nn.LeakyReLU(SLOPE),
            back,
        )

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.layers(x)
        return x + change


def _initialised(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> nn.Module:
    """Weights from N(0, gain²/fan_in), biases zero."""
    nn.init.normal_(layer.weight, std=gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _initialise_embedding(embedding: nn.Embedding, gain: float = 1.0) -> None:
    """Rows spread as the weights of a linear layer on one-hot labels, whose fan_in is the number of classes."""
    nn.init.normal_(embedding.weight, std=gain / math.sqrt(embedding.num_embeddings))


def _pointwise(before: int, after: int) -> nn.Module:
    return _initialised(nn.Conv2d(before, after, 1, bias=False))


def _check(blocks: int, expansion: int, group: int) -> None:
    for key, value in (("blocks", blocks), ("expansion", expansion), ("group", group)):
        require(value > 0, key, value, "must be more than 0")


@component("generator", "r3gan")
class R3GANGenerator(nn.Module):
    """A learned 4×4 or 7×7 map weighted by z, then stages of ``blocks`` blocks, doubled between them; linear output.

    Stages have ``width`` channels up to ``halve_after`` pixels; each doubling beyond halves them.
    """

    def __init__(
        self,
        latent_dim: int,
        resolution: int,
        channels: int,
        num_classes: int,
        width: int = 768,
        halve_after: int = 32,
        blocks: int = 2,
        expansion: int = 2,
        group: int = 16,
    ) -> None:
        super().__init__()
        _check(blocks, expansion, group)
        path = stages("r3gan", resolution, STARTS, width, halve_after)
        self.latent = LatentInput(latent_dim, num_classes)
        if self.latent.embedding is not None:
            _initialise_embedding(self.latent.embedding)
        start, before = path[0]
        self.basis = nn.Parameter(torch.randn(before, start, start))
        self.dense = _initialised(nn.Linear(self.latent.features, before, bias=False))
        layers: list[nn.Module] = []
        for side, after in path:
            layers += [_pointwise(before, after)] if after != before else []
            layers += [Upsample()] if side != start else []
            layers += [ResidualBlock(after, expansion, group, blocks * len(path)) for _ in range(blocks)]
            before = after
        self.layers = nn.Sequential(*layers, _pointwise(before, channels))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        weights: Tensor = self.dense(self.latent(z, labels))
        images: Tensor = self.layers(self.basis * weights[:, :, None, None])
        return images


@component("discriminator", "r3gan")
class R3GANDiscriminator(Discriminator):
    """The generator's mirror image: stages of ``blocks`` blocks, halved between them, then a map of learned weights.

    ``projection`` is the paper's: the inner product of the features with the class's embedding, nothing beside it.
    With ``spectral_norm`` W₃ starts like the other weights, because zeros cannot be divided by their norm.
    """

    def __init__(
        self,
        resolution: int,
        channels: int,
        num_classes: int,
        conditioning: str,
        width: int = 768,
        halve_after: int = 32,
        blocks: int = 2,
        expansion: int = 2,
        group: int = 16,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        _check(blocks, expansion, group)
        path = stages("r3gan", resolution, STARTS, width, halve_after)[::-1]
        (start, last), before = path[-1], path[0][1]
        layers: list[nn.Module] = [_pointwise(channels, before)]
        for side, after in path:
            layers += [Downsample()] if side != resolution else []
            layers += [_pointwise(before, after)] if after != before else []
            layers += [ResidualBlock(after, expansion, group, blocks * len(path)) for _ in range(blocks)]
            before = after
        self.layers = nn.Sequential(*layers)
        self.basis = nn.Parameter(torch.randn(last, start, start) / start)
        outputs = {"projection": last, "auxiliary": 1 + num_classes}.get(conditioning, 1)
        self.dense = _initialised(nn.Linear(last, outputs, bias=False))
        self.squeeze = conditioning != "auxiliary"
        self.embedding = nn.Embedding(num_classes, last) if conditioning == "projection" else None
        if self.embedding is not None:
            _initialise_embedding(self.embedding, gain=last**-0.5)
        if spectral_norm:
            for block in self.layers:
                if isinstance(block, ResidualBlock) and isinstance(block.layers[-1], nn.Conv2d):
                    _initialised(block.layers[-1])
            normalise_spectrally(self)

    @property
    def heads(self) -> list[nn.Module]:
        return [self.dense]

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        h: Tensor = self.dense((self.layers(images) * self.basis).sum((2, 3)))
        if self.embedding is not None:
            h = (h * self.embedding(labels)).sum(1, keepdim=True)
        return h.squeeze(1) if self.squeeze else h
