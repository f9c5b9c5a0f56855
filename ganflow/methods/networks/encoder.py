"""Encoders of a variational autoencoder: samples (N, *shape) and labels (N,) or None → mean and log-variance of z."""

from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.signals.base import Shape


class _Encoder(nn.Module):
    """Features of the images, joined by a learned embedding of the class, to two times (N, latent_dim)."""

    def __init__(self, layers: nn.Module, features: int, latent_dim: int, num_classes: int) -> None:
        super().__init__()
        self.layers = layers
        self.embedding = nn.Embedding(num_classes, latent_dim) if num_classes else None
        self.head = nn.Linear(features + (latent_dim if num_classes else 0), 2 * latent_dim)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        h = self.layers(images)
        joined = h if self.embedding is None else torch.cat([h, self.embedding(labels)], dim=1)
        mean, log_variance = self.head(joined).chunk(2, dim=1)
        return mean, log_variance


@component("encoder", "mlp")
class MLPEncoder(_Encoder):
    """Dense layers with LeakyReLU 0.2."""

    def __init__(
        self,
        latent_dim: int,
        shape: Shape,
        num_classes: int,
        widths: list[int] = [512, 256],  # noqa: B006 - read only, a configuration default
    ) -> None:
        require(len(widths) > 0 and min(widths) > 0, "widths", widths, "at least one width, each more than 0")
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise([prod(shape), *widths]):
            layers += [nn.Linear(before, after), nn.LeakyReLU(0.2)]
        super().__init__(nn.Sequential(*layers), widths[-1], latent_dim, num_classes)


@component("encoder", "conv")
class ConvEncoder(_Encoder):
    """Strided 4×4 convolutions with LeakyReLU 0.2, each with twice the channels, down to a side of 4 or an odd one."""

    def __init__(self, latent_dim: int, shape: Shape, num_classes: int, width: int = 32) -> None:
        require(width > 0, "width", width, "must be more than 0")
        layers: list[nn.Module] = []
        (before, *sides), after = shape, width
        while min(sides) > 4 and not any(side % 2 for side in sides):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.2)]
            before, after, sides = after, 2 * after, [side // 2 for side in sides]
        layers += [nn.Flatten()]
        super().__init__(nn.Sequential(*layers), before * prod(sides), latent_dim, num_classes)
