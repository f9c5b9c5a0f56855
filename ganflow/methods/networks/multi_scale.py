"""Discriminators at several scales (Wang et al., 2018, "High-resolution image synthesis", section 3.2)."""

import torch
from torch import Tensor, nn

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.networks.base import Discriminator
from ganflow.methods.networks.layers.given_input import channels_seen, with_given
from ganflow.methods.networks.patch import PatchDiscriminator, checked_layers
from ganflow.signals.base import Shape


@component("discriminator", "multi_scale")
class MultiScaleDiscriminator(Discriminator):
    """``scales`` PatchGANs alike, of which each sees the image at half the size of the one before.

    Halving is the mean of 3×3 pixels around every second one, of those that there are. ``layers`` are by default as
    many as `patch` has at the smallest scale. The output is a list of all patches' logits (N, 1, K), with those of the
    classes beside it for ``auxiliary``. With ``sees_given`` each judges an image beside what G was given, as
    in the paper.
    """

    def __init__(
        self,
        shape: Shape,
        num_classes: int,
        conditioning: str,
        given: Shape | None,
        width: int = 64,
        layers: int | None = None,
        scales: int = 2,
        norm: str = "instance",
        spectral_norm: bool = False,
        sees_given: bool = False,
    ) -> None:
        super().__init__()
        require(scales > 0, "scales", scales, "must be at least 1")
        self.halve = nn.AvgPool2d(3, 2, 1, count_include_pad=False)
        channels, self.sees_given = channels_seen(sees_given, shape, given), sees_given
        shapes = _shapes((channels, *shape[1:]), scales)
        options = (num_classes, conditioning, None, width, checked_layers(layers, shapes[-1]), norm, spectral_norm)
        self.discriminators = nn.ModuleList(PatchDiscriminator(at, *options) for at in shapes)

    def forward(self, images: Tensor, labels: Tensor | None = None, given: Tensor | None = None) -> Tensor:
        images = with_given(images, given)
        verdicts: list[Tensor] = []
        for D in self.discriminators:
            verdicts.append(D(images, labels).flatten(2))
            images = self.halve(images)
        return torch.cat(verdicts, dim=2)


def _shapes(shape: Shape, scales: int) -> list[Shape]:
    """The images' shape at every scale, the whole one first."""
    channels, height, width = shape
    return [(channels, -(-height >> scale), -(-width >> scale)) for scale in range(scales)]
