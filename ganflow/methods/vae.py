"""The variational autoencoder (Kingma & Welling, 2014): a method with one player, to compare a GAN with.

Its decoder is the generator of the configuration, so both are sampled, measured and registered alike.
Shapes: real (N, C, H, W) in [-1, 1]; z, mean, log-variance (N, latent_dim); labels (N,) or None.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ganflow.config import components
from ganflow.config.components import component
from ganflow.config.schema import Config
from ganflow.data.prepared.dataset import Facts
from ganflow.errors import require
from ganflow.methods.base import Batch, BuiltMethod, Kept, MethodBuilder, Network, Terms, Turn, to_float32
from ganflow.methods.build import build_generator, conditioning_classes, kept_code, shapes_only
from ganflow.methods.networks.facts import network_facts
from ganflow.methods.networks.restoration.autoencoder import through_a_code
from ganflow.methods.players.player import build_player


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
    def schedulable(self) -> Mapping[str, object]:
        """σ and β are its own."""
        return {"vae": self}

    def figures(self) -> Terms:
        """None beside the terms."""
        return {}

    def terms(self, batch: Batch) -> Terms:
        """The terms that the autoencoder minimises, in nats per image; the batch's z is the noise of eq. 9."""
        image, mean, log_variance = map(to_float32, self.G(batch.real, batch.labels, batch.z))
        squared = (batch.real - image).square().sum((1, 2, 3)).mean()
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()  # appendix B
        return {"reconstruction": squared / (2 * self.sigma**2), "kl": self.beta * divergence}


@component("method", "vae")
class VAEBuilder(MethodBuilder):
    """A variational autoencoder (Kingma & Welling, 2014) whose decoder is the generator."""

    sections = ("gan", "vae")
    schedulable = ("vae.sigma", "vae.beta")
    optimizers: ClassVar[Mapping[str, str]] = {"G": "optimizers.generator"}

    def build(self, config: Config, facts: Facts, device: torch.device) -> BuiltMethod:
        """One player, of which the generator is sampled; all of it is kept where it is to make images again."""
        encoder = build_encoder(config, facts)
        network = Autoencoder(encoder, build_generator(config, facts))
        player = build_player(network, config, self.optimizers["G"], device)
        method = VAE(player, config.vae.sigma, config.vae.beta)
        generator = through_a_code(network.encoder, network.generator) if facts.normal else network.generator
        return BuiltMethod(method, {"G": player}, self.optimizers, generator, "G")

    def kept(self, config: Config, facts: Facts) -> Kept:
        """The decoder; on data for detection with its encoder."""
        if facts.normal:
            return kept_code(config, facts, config.vae.encoder)
        return Kept(config.gan.generator, config.gan.latent_dim, None)

    def check(self, config: Config, facts: Facts) -> None:
        """Build the encoder; nothing can be given to a decoder but z."""
        allowed = "nothing, with method=vae; set method=gan or regression"
        require(config.method != "vae" or not config.given, "given", ", ".join(config.given), allowed)
        with shapes_only():
            build_encoder(config, facts)


def build_encoder(config: Config, facts: Facts) -> nn.Module:
    """The encoder for images of this kind, with fresh weights from torch's generator.

    Raises:
        ConfigError: options or images that it refuses.
    """
    encoder: nn.Module = components.build(
        "encoder", config.vae.encoder, "vae.encoder", latent_dim=config.gan.latent_dim,
        **network_facts(facts.shape, conditioning_classes(config, facts)),
    )  # fmt: skip
    return encoder
