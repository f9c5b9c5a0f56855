"""A discriminator of every pixel: the U-Net of Real-ESRGAN (Wang et al., 2021, section 3.3; Schönfeld et al., 2020)."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.networks.base import Discriminator
from ganflow.methods.networks.layers.conditioning import MapHead
from ganflow.methods.networks.layers.given_input import channels_seen, with_given
from ganflow.methods.networks.layers.spectral_norm import normalise_spectrally
from ganflow.signals.base import Shape

LEVELS = 3  # that halve the map, and double it again
SLOPE = 0.2


@component("discriminator", "unet")
class UNetDiscriminator(Discriminator):
    """Three convolutions that halve the map, three that double it, each joined by the map of its size on the way down.

    ``width`` is the number of channels at the images' size, twice as many at each below. Every weight is normalised
    spectrally, where the authors leave the first and the last out. The output is a map of logits (N, 1, H, W);
    ``projection`` adds the match of each pixel's features with the class, ``auxiliary`` has maps of the classes' logits
    beside it. With ``sees_given`` it judges an image beside what G was given.
    """

    def __init__(
        self,
        shape: Shape,
        num_classes: int,
        conditioning: str,
        given: Shape | None,
        width: int = 64,
        spectral_norm: bool = True,
        sees_given: bool = False,
    ) -> None:
        super().__init__()
        require(width > 0, "width", width, "must be more than 0")
        channels, self.sees_given = channels_seen(sees_given, shape, given), sees_given
        sides = shape[1:]
        fits = all(side % 2**LEVELS == 0 for side in sides)
        misfit = f"cannot make {sides[1]}×{sides[0]} images; set data.resize to a multiple of 8, such as 32 or 64"
        require(fits, "name", "unet", misfit)
        pairs = list(pairwise(width << level for level in range(LEVELS + 1)))
        self.first = nn.Conv2d(channels, width, 3, 1, 1)
        self.down = nn.ModuleList(nn.Conv2d(smaller, larger, 4, 2, 1, bias=False) for smaller, larger in pairs)
        self.up = nn.ModuleList(nn.Conv2d(larger, smaller, 3, 1, 1, bias=False) for smaller, larger in pairs[::-1])
        self.refine = nn.ModuleList(nn.Conv2d(width, width, 3, 1, 1, bias=False) for _ in range(2))
        self.head = MapHead(width, num_classes, conditioning, 3, spectral_norm)
        if spectral_norm:
            normalise_spectrally(self)

    def forward(self, images: Tensor, labels: Tensor | None = None, given: Tensor | None = None) -> Tensor:
        maps = [leaky_relu(self.first(with_given(images, given)), SLOPE)]
        for layer in self.down:
            maps.append(leaky_relu(layer(maps[-1]), SLOPE))
        h = maps.pop()
        for layer in self.up:
            larger = interpolate(h, scale_factor=2, mode="bilinear", align_corners=False)
            h = leaky_relu(layer(larger), SLOPE) + maps.pop()
        for layer in self.refine:
            h = leaky_relu(layer(h), SLOPE)
        logits: Tensor = self.head(h, labels)
        return logits
