"""Fully connected networks, for samples of any shape."""

from itertools import pairwise
from math import prod
from typing import ClassVar

import torch
from torch import Tensor, nn

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.networks.base import Discriminator
from ganflow.methods.networks.layers.conditioning import Head, LatentInput
from ganflow.methods.networks.layers.initial_weights import initialise
from ganflow.methods.networks.layers.spectral_norm import normalise_spectrally
from ganflow.signals.base import Shape

ACTIVATIONS = ("leaky_relu", "prelu", "relu")
PIECES = 5  # of maxout


class Maxout(nn.Module):
    """The largest of every five neighbours (Goodfellow et al., 2013): (N, 5·features) → (N, features)."""

    def forward(self, h: Tensor) -> Tensor:
        largest: Tensor = h.unflatten(1, (-1, PIECES)).amax(2)
        return largest


class Sigmoid(nn.Module):
    """``2σ(h) − 1``: the sigmoid's range on [-1, 1], where images are."""

    def forward(self, h: Tensor) -> Tensor:
        return 2 * torch.sigmoid(h) - 1


OUTPUTS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "sigmoid": Sigmoid, "linear": nn.Identity}


def _activation(name: str, slope: float) -> nn.Module:
    if name == "prelu":
        return nn.PReLU(init=slope)
    return nn.LeakyReLU(slope) if name == "leaky_relu" else Maxout() if name == "maxout" else nn.ReLU()


def hidden_layers(
    features: int, widths: list[int], activation: str, slope: float, norm: str, momentum: float, dropout: float
) -> list[nn.Module]:
    """Dense layers, each followed by what its options ask for, in the order normalisation, activation, dropout."""
    require(len(widths) > 0 and min(widths) > 0, "widths", widths, "at least one width, each more than 0")
    require(norm in ("none", "batch"), "norm", norm, "one of none, batch")
    require(0 < momentum <= 1, "momentum", momentum, "more than 0, at most 1: the share of the newest batch")
    require(0 <= dropout < 1, "dropout", dropout, "0 to less than 1")
    pieces = PIECES if activation == "maxout" else 1
    layers: list[nn.Module] = []
    for before, after in pairwise([features, *widths]):
        layers += [nn.Linear(before, after * pieces)]
        layers += [nn.BatchNorm1d(after * pieces, momentum=momentum)] if norm == "batch" else []
        layers += [_activation(activation, slope)]
        layers += [nn.Dropout(dropout)] if dropout else []
    return layers


@component("generator", "mlp")
class MLPGenerator(nn.Module):
    """Dense layers with LeakyReLU and, if asked for, batch normalisation; tanh at the end.

    ``slope`` is LeakyReLU's, and where PReLU's starts. ``output=linear`` is for points, which have no bounds.
    """

    signals: ClassVar[tuple[str, ...]] = ("image", "points")

    def __init__(
        self,
        latent_dim: int,
        shape: Shape,
        num_classes: int,
        widths: list[int] = [256, 512, 1024],  # noqa: B006 - read only, a configuration default
        activation: str = "leaky_relu",
        slope: float = 0.2,
        norm: str = "none",
        momentum: float = 0.1,
        dropout: float = 0.0,
        output: str = "tanh",
        init: str = "torch",
    ) -> None:
        super().__init__()
        require(activation in ACTIVATIONS, "activation", activation, f"one of {', '.join(ACTIVATIONS)}")
        require(output in OUTPUTS, "output", output, f"one of {', '.join(OUTPUTS)}")
        self.shape = shape
        self.latent = LatentInput(latent_dim, num_classes)
        layers = hidden_layers(self.latent.features, widths, activation, slope, norm, momentum, dropout)
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], prod(self.shape)), OUTPUTS[output]())
        initialise(self.layers, init)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        images: Tensor = self.layers(self.latent(z, labels)).unflatten(1, self.shape)
        return images


@component("discriminator", "mlp")
class MLPDiscriminator(Discriminator):
    """Dense layers with LeakyReLU and, if asked for, dropout; ``maxout`` is the largest of five dense layers."""

    signals: ClassVar[tuple[str, ...]] = ("image", "points")

    def __init__(
        self,
        shape: Shape,
        num_classes: int,
        conditioning: str,
        widths: list[int] = [1024, 512, 256],  # noqa: B006 - read only, a configuration default
        activation: str = "leaky_relu",
        slope: float = 0.2,
        norm: str = "none",
        momentum: float = 0.1,
        dropout: float = 0.0,
        init: str = "torch",
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        activations = (*ACTIVATIONS, "maxout")
        require(activation in activations, "activation", activation, f"one of {', '.join(activations)}")
        layers = hidden_layers(prod(shape), widths, activation, slope, norm, momentum, dropout)
        self.layers = nn.Sequential(nn.Flatten(), *layers)
        self.head = Head(widths[-1], num_classes, conditioning, spectral_norm)
        initialise(self, init)
        if spectral_norm:
            normalise_spectrally(self)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        logits: Tensor = self.head(self.layers(images), labels)
        return logits
