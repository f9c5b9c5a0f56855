"""Strided convolutions only (Radford et al., 2016), at 4·2^k, 7·2^k or 2·2^k pixels; a longer side is as many maps."""

from math import prod

from torch import Tensor, nn

from ganflow.config.components import component
from ganflow.errors import ConfigError, require
from ganflow.methods.networks.base import Discriminator
from ganflow.methods.networks.layers.conditioning import Head, LatentInput
from ganflow.methods.networks.layers.spectral_norm import normalise_spectrally
from ganflow.signals.base import Shape

STARTS = (4, 7, 2)


def start_and_levels(resolution: int) -> tuple[int, int]:
    """The side of the first feature map, and how often it is doubled to reach the resolution: twice where it can be."""
    for fewest in (2, 1):
        for start in STARTS:
            levels = (resolution // start).bit_length() - 1
            if levels >= fewest and start << levels == resolution:
                return start, levels
    raise ConfigError(
        "name", "dcgan", f"cannot make {resolution}×{resolution} images; set data.resize to 8, 16, 28, 32, 64, …"
    )


def _first_map(shape: Shape) -> tuple[tuple[int, int], int]:
    """Rows and columns of the first map, and how often it is doubled: as often as the shorter side asks for.

    Raises:
        ConfigError: no map becomes such images.
    """
    _, height, width = shape
    _, levels = start_and_levels(min(height, width))
    fits = height % 2**levels == 0 and width % 2**levels == 0
    multiple = f"set data.resize to {min(height, width)} and a multiple of {2**levels}, such as "
    nearest = max(1, round(max(height, width) / 2**levels)) << levels
    example = f"{width}x{nearest}" if height > width else f"{nearest}x{height}"
    require(fits, "name", "dcgan", f"cannot make {width}×{height} images; {multiple}{example}")
    return (height >> levels, width >> levels), levels


def _check(width: int, kernel: int, norm: str) -> None:
    require(width > 0, "width", width, "must be more than 0")
    require(kernel in (4, 5), "kernel", kernel, "one of 4, 5")
    require(norm in ("none", "batch"), "norm", norm, "one of none, batch")


def _normalised(channels: int, norm: str) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels)] if norm == "batch" else []


def _initialise(network: nn.Module) -> None:
    """Weights from N(0, 0.02), as in the paper's section 4."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, mean=1.0, std=0.02)


@component("generator", "dcgan")
class DCGANGenerator(nn.Module):
    """A dense layer to the first map, then transposed convolutions that double it; ReLU, tanh at the end.

    ``width`` is the number of channels before the last layer; every level above it has twice as many.
    """

    def __init__(
        self,
        latent_dim: int,
        shape: Shape,
        num_classes: int,
        width: int = 64,
        kernel: int = 4,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        _check(width, kernel, norm)
        first, levels = _first_map(shape)
        widths = [width << level for level in range(levels)][::-1]
        self.latent = LatentInput(latent_dim, num_classes)
        self.shape = (widths[0], *first)
        self.dense = nn.Linear(self.latent.features, prod(self.shape))
        layers: list[nn.Module] = []
        for before, after in zip(widths, [*widths[1:], shape[0]], strict=True):
            layers += [*_normalised(before, norm), nn.ReLU(inplace=True)]
            layers += [
                nn.ConvTranspose2d(
                    before, after, kernel, 2, padding=kernel // 2 - 1 + kernel % 2, output_padding=kernel % 2
                )
            ]
        self.layers = nn.Sequential(*layers, nn.Tanh())
        _initialise(self)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        images: Tensor = self.layers(self.dense(self.latent(z, labels)).unflatten(1, self.shape))
        return images


@component("discriminator", "dcgan")
class DCGANDiscriminator(Discriminator):
    """Strided convolutions that halve the map, LeakyReLU 0.2, then a dense layer over the last map.

    ``width`` is the number of channels after the first layer; every level below it has twice as many.
    """

    def __init__(
        self,
        shape: Shape,
        num_classes: int,
        conditioning: str,
        width: int = 64,
        kernel: int = 4,
        norm: str = "none",
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        _check(width, kernel, norm)
        last, levels = _first_map(shape)
        layers: list[nn.Module] = []
        before = shape[0]
        for level in range(levels):
            after = width << level
            layers += [nn.Conv2d(before, after, kernel, 2, padding=kernel // 2 - 1 + kernel % 2)]
            layers += _normalised(after, norm) if level else []  # none on the first layer, as in the paper
            layers += [nn.LeakyReLU(0.2, inplace=True)]
            before = after
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.head = Head(before * prod(last), num_classes, conditioning, spectral_norm)
        _initialise(self)
        if spectral_norm:
            normalise_spectrally(self)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        logits: Tensor = self.head(self.layers(images), labels)
        return logits
