"""Fully connected networks, for images of any size."""

from itertools import pairwise
from math import prod

from torch import Tensor, nn

from ganflow.component import component
from ganflow.errors import require
from ganflow.networks.conditioning import LatentInput, ProjectionHead

OUTPUTS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "linear": nn.Identity}


@component("generator", "mlp")
class MLPGenerator(nn.Module):
    """Dense layers with LeakyReLU and, if asked for, batch normalisation; ``output`` at the end."""

    def __init__(
        self,
        latent_dim: int,
        resolution: int,
        channels: int,
        num_classes: int,
        widths: list[int] = [256, 512, 1024],  # noqa: B006 - read only, a configuration default
        slope: float = 0.2,
        norm: str = "none",
        output: str = "tanh",  # tanh | linear, for points
    ) -> None:
        super().__init__()
        require(norm in ("none", "batch"), "norm", norm, "one of none, batch")
        require(output in OUTPUTS, "output", output, f"one of {', '.join(OUTPUTS)}")
        require(len(widths) > 0 and min(widths) > 0, "widths", widths, "at least one width, each more than 0")
        self.shape = (channels, resolution, resolution)
        self.latent = LatentInput(latent_dim, num_classes)
        layers: list[nn.Module] = []
        for before, after in pairwise([self.latent.features, *widths]):
            layers += [nn.Linear(before, after)]
            layers += [nn.BatchNorm1d(after)] if norm == "batch" else []
            layers += [nn.LeakyReLU(slope)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], prod(self.shape)), OUTPUTS[output]())

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        images: Tensor = self.layers(self.latent(z, labels)).unflatten(1, self.shape)
        return images


@component("discriminator", "mlp")
class MLPDiscriminator(nn.Module):
    """Dense layers with LeakyReLU and, if asked for, dropout."""

    def __init__(
        self,
        resolution: int,
        channels: int,
        num_classes: int,
        widths: list[int] = [1024, 512, 256],  # noqa: B006 - read only, a configuration default
        slope: float = 0.2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        require(0 <= dropout < 1, "dropout", dropout, "0 to less than 1")
        require(len(widths) > 0 and min(widths) > 0, "widths", widths, "at least one width, each more than 0")
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise([channels * resolution**2, *widths]):
            layers += [nn.Linear(before, after), nn.LeakyReLU(slope)]
            layers += [nn.Dropout(dropout)] if dropout else []
        self.layers = nn.Sequential(*layers)
        self.head = ProjectionHead(widths[-1], num_classes)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        logits: Tensor = self.head(self.layers(images), labels)
        return logits
