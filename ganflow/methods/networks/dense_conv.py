"""Dense layers, then two transposed convolutions from a quarter of the images' sides, against a dense discriminator."""

from itertools import pairwise
from math import prod

from torch import Tensor, nn

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.networks.layers.conditioning import LatentInput
from ganflow.methods.networks.layers.initial_weights import initialise
from ganflow.methods.networks.layers.quarters import quarters
from ganflow.methods.networks.mlp import MLPDiscriminator
from ganflow.signals.base import Shape


@component("generator", "dense_conv")
class DenseConvGenerator(nn.Module):
    """Dense layers, each LeakyReLU then batch normalisation, to ``width`` maps; 5×5 to half as many, then to images.

    ``momentum`` is torch's: the share of the newest batch in the running statistics (Keras' 0.8 is 0.2 here). With
    ``norm_map`` the maps that come out of the dense layers are activated and normalised, too; without, the last dense
    layer and the first transposed convolution are one linear map.
    """

    def __init__(
        self,
        latent_dim: int,
        shape: Shape,
        num_classes: int,
        widths: list[int] = [256, 512, 1024],  # noqa: B006 - read only, a configuration default
        width: int = 256,
        slope: float = 0.2,
        momentum: float = 0.2,
        eps: float = 1e-5,
        norm_map: bool = False,
        init: str = "torch",
    ) -> None:
        super().__init__()
        require(len(widths) > 0 and min(widths) > 0, "widths", widths, "at least one width, each more than 0")
        require(width > 0 and width % 2 == 0, "width", width, "must be even and more than 0")
        require(0 < momentum <= 1, "momentum", momentum, "more than 0, at most 1: the share of the newest batch")
        require(eps > 0, "eps", eps, "must be more than 0")
        self.latent = LatentInput(latent_dim, num_classes)
        self.shape = (width, *quarters("dense_conv", shape, "28 or 32"))
        dense: list[nn.Module] = []
        for before, after in pairwise([self.latent.features, *widths, prod(self.shape)]):
            dense += [nn.Linear(before, after), nn.LeakyReLU(slope), nn.BatchNorm1d(after, eps, momentum)]
        self.dense = nn.Sequential(*(dense if norm_map else dense[:-2]))
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 5, 2, padding=2, output_padding=1),
            nn.BatchNorm2d(width // 2, eps, momentum),
            nn.LeakyReLU(slope),
            nn.ConvTranspose2d(width // 2, shape[0], 5, 2, padding=2, output_padding=1),
            nn.Tanh(),
        )
        initialise(self, init)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        images: Tensor = self.layers(self.dense(self.latent(z, labels)).unflatten(1, self.shape))
        return images


@component("discriminator", "dense_conv")
class DenseConvDiscriminator(MLPDiscriminator):
    """Dense layers, each LeakyReLU then dropout."""

    def __init__(
        self,
        shape: Shape,
        num_classes: int,
        conditioning: str,
        widths: list[int] = [1024, 512, 256],  # noqa: B006 - read only, a configuration default
        slope: float = 0.2,
        dropout: float = 0.3,
        init: str = "torch",
        spectral_norm: bool = False,
    ) -> None:
        facts = (shape, num_classes, conditioning)
        super().__init__(*facts, widths, slope=slope, dropout=dropout, init=init, spectral_norm=spectral_norm)
