"""The small network of 5×5 convolutions of Keras' tutorials: three of them make an image, two judge it."""

from math import prod

from torch import Tensor, nn

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.networks.base import Discriminator
from ganflow.methods.networks.layers.conditioning import Head, LatentInput
from ganflow.methods.networks.layers.initial_weights import initialise
from ganflow.methods.networks.layers.quarters import quarters
from ganflow.methods.networks.layers.spectral_norm import normalise_spectrally
from ganflow.signals.base import Shape

KERNEL = 5


def _map(shape: Shape, width: int) -> tuple[int, int]:
    """Rows and columns of the smallest map."""
    require(width > 0, "width", width, "must be more than 0")
    return quarters("dcgan5x5", shape, "16 or 28")


def _transposed(before: int, after: int, stride: int) -> nn.Module:
    return nn.ConvTranspose2d(before, after, KERNEL, stride, padding=2, output_padding=stride - 1)


@component("generator", "dcgan5x5")
class DCGAN5x5Generator(nn.Module):
    """A dense layer to 4·``width`` maps, a transposed convolution that keeps their side, and two that double it.

    The first map's sides are a quarter of the images', whatever those are. Before each convolution there are batch
    normalisation and LeakyReLU; tanh is the end. ``momentum`` is torch's: Keras' own 0.99 is 0.01 here. Weights are
    Glorot's, as Keras' are.
    """

    def __init__(
        self,
        latent_dim: int,
        shape: Shape,
        num_classes: int,
        width: int = 64,
        slope: float = 0.3,
        momentum: float = 0.01,
        eps: float = 1e-3,
    ) -> None:
        super().__init__()
        self.shape = (4 * width, *_map(shape, width))
        require(0 < momentum <= 1, "momentum", momentum, "more than 0, at most 1: the share of the newest batch")
        require(eps > 0, "eps", eps, "must be more than 0")
        self.latent = LatentInput(latent_dim, num_classes)
        features = prod(self.shape)
        self.dense = nn.Sequential(  # normalised before it is a map: each of its values for itself
            nn.Linear(self.latent.features, features, bias=False),
            nn.BatchNorm1d(features, eps, momentum),
            nn.LeakyReLU(slope),
        )
        self.layers = nn.Sequential(
            _transposed(4 * width, 2 * width, 1),
            nn.BatchNorm2d(2 * width, eps, momentum),
            nn.LeakyReLU(slope),
            _transposed(2 * width, width, 2),
            nn.BatchNorm2d(width, eps, momentum),
            nn.LeakyReLU(slope),
            _transposed(width, shape[0], 2),
            nn.Tanh(),
        )
        initialise(self, "glorot")

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        images: Tensor = self.layers(self.dense(self.latent(z, labels)).unflatten(1, self.shape))
        return images


@component("discriminator", "dcgan5x5")
class DCGAN5x5Discriminator(Discriminator):
    """Two convolutions that halve the map, to ``width`` and twice as many, each with LeakyReLU; a dense layer."""

    def __init__(
        self,
        shape: Shape,
        num_classes: int,
        conditioning: str,
        width: int = 64,
        slope: float = 0.3,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        features = 2 * width * prod(_map(shape, width))
        self.layers = nn.Sequential(
            nn.Conv2d(shape[0], width, KERNEL, 2, padding=2),
            nn.LeakyReLU(slope),
            nn.Conv2d(width, 2 * width, KERNEL, 2, padding=2),
            nn.LeakyReLU(slope),
            nn.Flatten(),
        )
        self.head = Head(features, num_classes, conditioning, spectral_norm, bias=False)
        initialise(self, "glorot")
        if spectral_norm:
            normalise_spectrally(self)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        logits: Tensor = self.head(self.layers(images), labels)
        return logits
