"""PatchGAN (Isola et al., 2017, "Image-to-image translation with conditional adversarial networks", appendix 6.1.2)."""

from itertools import pairwise

from torch import Tensor, nn

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.networks.base import Discriminator
from ganflow.methods.networks.layers.conditioning import MapHead
from ganflow.methods.networks.layers.given_input import channels_seen, with_given
from ganflow.methods.networks.layers.spectral_norm import normalise_spectrally
from ganflow.signals.base import Shape

KERNEL, LAYERS, WIDEST = 4, 3, 8  # times the width
NORMS = ("instance", "batch", "none")


@component("discriminator", "patch")
class PatchDiscriminator(Discriminator):
    """A verdict on every patch of the image: of 70 pixels with three ``layers`` that halve the map, of 34 with two.

    By default there are three as in the paper, fewer where images are too small.
    Convolutions of 4×4, each with twice the channels, up to eight times ``width``; LeakyReLU 0.2; all but the first and
    the last are normalised. The authors normalise over the batch; here it is over the image, as in CycleGAN, so that
    each is judged by itself. The output is a map of logits (N, 1, H', W'); ``projection`` adds the match of each patch
    with the class, ``auxiliary`` has maps of the classes' logits beside it. With ``sees_given`` it judges an image
    beside what G was given, as in the paper.
    """

    def __init__(
        self,
        shape: Shape,
        num_classes: int,
        conditioning: str,
        given: Shape | None,
        width: int = 64,
        layers: int | None = None,
        norm: str = "instance",
        spectral_norm: bool = False,
        sees_given: bool = False,
    ) -> None:
        super().__init__()
        require(width > 0, "width", width, "must be more than 0")
        require(norm in NORMS, "norm", norm, f"one of {', '.join(NORMS)}")
        layers = checked_layers(layers, shape)
        channels, self.sees_given = channels_seen(sees_given, shape, given), sees_given
        widths = [width * min(2**level, WIDEST) for level in range(layers + 1)]
        blocks: list[nn.Module] = [nn.Conv2d(channels, width, KERNEL, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        for level, (before, after) in enumerate(pairwise(widths), 1):
            stride = 2 if level < layers else 1
            blocks += [nn.Conv2d(before, after, KERNEL, stride, 1, bias=norm == "none"), *_normalised(after, norm)]
            blocks += [nn.LeakyReLU(0.2, inplace=True)]
        self.layers, features = nn.Sequential(*blocks), widths[-1]
        self.head = MapHead(features, num_classes, conditioning, KERNEL, spectral_norm)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.02)
        if spectral_norm:
            normalise_spectrally(self)

    def forward(self, images: Tensor, labels: Tensor | None = None, given: Tensor | None = None) -> Tensor:
        h = self.layers(with_given(images, given))
        logits: Tensor = self.head(h, labels)
        return logits


def checked_layers(layers: int | None, shape: Shape) -> int:
    """The number of layers that halve the map, which leave one patch at least.

    Raises:
        ConfigError: there are none such.
    """
    most = (min(shape[1:]) // 3).bit_length() - 1
    misfit = f"cannot make {shape[2]}×{shape[1]} images; set data.resize=6 or more"
    require(most > 0, "name", "patch", misfit)
    layers = min(LAYERS, most) if layers is None else layers
    require(1 <= layers <= most, "layers", layers, f"1 to {most} for images of {shape[2]}×{shape[1]}")
    return layers


def _normalised(channels: int, norm: str) -> list[nn.Module]:
    kinds: dict[str, type[nn.Module]] = {"instance": nn.InstanceNorm2d, "batch": nn.BatchNorm2d}
    return [kinds[norm](channels)] if norm in kinds else []
