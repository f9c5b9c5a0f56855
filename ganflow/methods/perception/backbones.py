"""Backbones: the convolutions of networks that recognise ImageNet's photographs, in torchvision's order and names.

VGG (Simonyan & Zisserman, 2015, table 1) and AlexNet (Krizhevsky, 2014). Shapes: images (N, 1 or 3, H, W) in [-1, 1].
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ganflow.errors import require

BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}  # convolutions before each of the five poolings
WIDTHS = (64, 128, 256, 512, 512)
MEAN, DEVIATION = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # ImageNet's of red, green and blue, in [-1, 1]


class Backbone(nn.Module):
    """Layers whose outputs are asked for by their index; weights are ``features.INDEX.weight`` and ``.bias``."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.features = nn.Sequential(*layers)

    def forward(self, images: Tensor, indices: Sequence[int]) -> list[Tensor]:
        """The outputs (N, C, H', W') of layers in ascending order; those after the last one are not run."""
        x, outputs = standardised(images), []
        for index, layer in zip(range(indices[-1] + 1), self.features, strict=False):
            x = layer(x)
            if index in indices:
                outputs.append(x)
        return outputs


def standardised(images: Tensor) -> Tensor:
    """``(x − μ) / σ`` by ImageNet's colours; grey images have three equal channels: (N, 3, H, W)."""
    channels = zip(images.expand(-1, 3, -1, -1).unbind(1), MEAN, DEVIATION, strict=True)
    return torch.stack([(x - mean) / deviation for x, mean, deviation in channels], 1)  # no copy from the host


def vgg(name: str) -> Backbone:
    """``vgg16`` or ``vgg19`` with fresh weights."""
    layers: list[nn.Module] = []
    before = 3
    for convolutions, width in zip(BLOCKS[name], WIDTHS, strict=True):
        for _ in range(convolutions):
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
            before = width
        layers.append(nn.MaxPool2d(2))
    return Backbone(layers)


def alexnet() -> Backbone:
    """AlexNet of 2014, on one device, with fresh weights."""
    return Backbone([
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
    ])  # fmt: skip


def index_of(name: str, layer: str, before_activation: bool) -> int:
    """The index of VGG's convolution ``convBLOCK_NUMBER``, as in conv5_4, or of the activation after it.

    Raises:
        ConfigError: it has none such.
    """
    blocks = BLOCKS[name]
    indices: dict[str, int] = {}
    index = 0
    for block, convolutions in enumerate(blocks, 1):
        for number in range(1, convolutions + 1):
            indices[f"conv{block}_{number}"] = index
            index += 2
        index += 1  # the pooling
    require(layer in indices, "layers", layer, f"{name} has {', '.join(indices)}")
    return indices[layer] + (not before_activation)


class Frozen:
    """A network that does not learn, and no module: it is part of no player, average, checkpoint or model.

    It computes in float32 whatever surrounds it, on the device of the images.
    """

    def __init__(self, network: Backbone) -> None:
        self.network = network.eval().requires_grad_(False)

    def __call__(self, images: Tensor, indices: Sequence[int]) -> list[Tensor]:
        """The outputs of layers by their indices in ascending order."""
        with torch.autocast(images.device.type, enabled=False):
            outputs: list[Tensor] = self.network.to(images.device)(images.float(), indices)
        return outputs
