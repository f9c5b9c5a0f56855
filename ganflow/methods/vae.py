"""The variational autoencoder (Kingma & Welling, 2014): a method with one player, to compare a GAN with.

Its decoder is the generator of the configuration, so both are sampled, measured and registered alike.
Shapes: real (N, C, H, W) in [-1, 1]; z, mean, log-variance (N, latent_dim); labels (N,) or None.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganflow.config import components
from ganflow.config.schema import Config
from ganflow.methods.base import Batch, Network, Terms, Turn, precise


class Autoencoder(nn.Module):
    """Encoder and generator as one network, for one gradient: images → (their reconstruction, mean, log-variance)."""

    def __init__(self, encoder: nn.Module, generator: nn.Module) -> None:
        super().__init__()
        self.encoder, self.generator = encoder, generator

    def forward(self, real: Tensor, labels: Tensor | None, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.encoder(real, labels)
        z = mean + torch.exp(log_variance / 2) * noise
        return self.generator(z, labels), mean, log_variance


@dataclass
class VAE:
    """``−log p(x|z)`` but for a constant, p Gaussian of deviation σ around the generator's image, plus ``β · KL``."""

    G: Network  # an :class:`Autoencoder`
    sigma: float
    beta: float  # 1 is the evidence lower bound; Higgins et al. (2017) take more

    @functools.cached_property
    def turns(self) -> list[Turn]:
        """The one player's turn, on new real images."""
        return [Turn("G", self.terms)]

    @functools.cached_property
    def modules(self) -> nn.ModuleDict:
        """No state beside the network."""
        return nn.ModuleDict()

    @property
    def steered(self) -> Mapping[str, object]:
        """σ and β are its own."""
        return {"vae": self}

    def figures(self) -> Terms:
        """None beside the terms."""
        return {}

    def terms(self, batch: Batch) -> Terms:
        """What the autoencoder minimises, in nats per image; the batch's z is the noise of eq. 9."""
        image, mean, log_variance = map(precise, self.G(batch.real, batch.labels, batch.z))
        squared = (batch.real - image).square().sum((1, 2, 3)).mean()
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()  # appendix B
        return {"reconstruction": squared / (2 * self.sigma**2), "kl": self.beta * divergence}


def build_encoder(config: Config, resolution: int, channels: int, num_classes: int) -> nn.Module:
    """The encoder for images of this kind; ``num_classes`` is 0 for an unconditional one.

    Raises:
        ConfigError: options or images that it refuses.
    """
    facts: dict[str, Any] = {"resolution": resolution, "channels": channels, "num_classes": num_classes}
    encoder: nn.Module = components.build(
        "encoder", config.vae.encoder, "vae.encoder", latent_dim=config.gan.latent_dim, **facts
    )
    return encoder
