"""f-AnoGAN (Schlegl et al., 2019): a GAN of normal images, and an encoder by which it makes an image again.

What it cannot make again was not among the normal images. Shapes: as in :mod:`ganflow.methods.gan`.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import nn
from torch.nn.functional import mse_loss

from ganflow.config import components
from ganflow.config.components import component
from ganflow.config.schema import Config
from ganflow.data.prepared.dataset import Facts
from ganflow.errors import require
from ganflow.methods.base import Batch, BuiltMethod, Kept, Network, Terms, Turn, to_float32
from ganflow.methods.build import check_signal, kept_code, shapes_only, takes_given
from ganflow.methods.gan import GAN, GANBuilder, of_networks
from ganflow.methods.networks.facts import network_facts
from ganflow.methods.networks.restoration.autoencoder import through_a_code
from ganflow.methods.players.player import build_player


@dataclass
class FAnoGAN(GAN):
    """A GAN whose encoder learns ``izi_f``: ``E(x − G(E(x)))² + κ · E(f(x) − f(G(E(x))))²`` (eq. 4).

    f is what D's last layer is given. The authors train the encoder when G and D are ready; here it learns beside them,
    in a turn of its own, so that one run has all three.
    """

    E: Network = field(kw_only=True)
    kappa: float = 1.0

    @functools.cached_property
    def turns(self) -> list[Turn]:
        """Those of a GAN, then the encoder's."""
        return [*super().turns, Turn("E", self.encoder_terms, fresh=False)]

    def encoder_terms(self, batch: Batch) -> Terms:
        """The terms that the encoder minimises, on the images of the last turn."""
        code = to_float32(self.E(batch.real, None)[0])
        again = self.G(code, None)
        terms = {"pixels": mse_loss(to_float32(again), batch.real)}
        if self.kappa:
            with torch.no_grad():
                of_real = self._features(batch, batch.real, None)
            pairs = zip(self._features(batch, again, None), of_real, strict=True)
            terms["features"] = self.kappa * torch.stack([mse_loss(a, b) for a, b in pairs]).mean()
        return terms


@component("method", "f_anogan")
class FAnoGANBuilder(GANBuilder):
    """A GAN and an encoder, for anomaly detection (Schlegl et al., 2019, f-AnoGAN)."""

    sections = ("gan", "detection")
    optimizers: ClassVar[Mapping[str, str]] = {**GANBuilder.optimizers, "E": "optimizers.encoder"}

    def build(self, config: Config, facts: Facts, device: torch.device) -> BuiltMethod:
        """Three players, of which encoder and generator are kept as one network."""
        built = super().build(config, facts, device)
        player = build_player(build_encoder(config, facts), config, self.optimizers["E"], device)
        gan = built.method
        assert isinstance(gan, GAN)
        method = FAnoGAN(**of_networks(gan), E=player, kappa=config.detection.features)
        whole = through_a_code(player.network, built.generator)
        return BuiltMethod(method, {**built.players, "E": player}, self.optimizers, whole, "G")

    def kept(self, config: Config, facts: Facts) -> Kept:
        """The encoder with the generator."""
        return kept_code(config, facts, config.detection.encoder)

    def check(self, config: Config, facts: Facts) -> None:
        """Those of a GAN, and the encoder."""
        if config.method != "f_anogan":
            return
        check_decoder(config)
        super().check(config, facts)
        check_encoder(config, facts)


def check_decoder(config: Config) -> None:
    """Refuse what does not go with an encoder whose decoder is the configuration's generator.

    Raises:
        ConfigError: with the key.
    """
    with_method, decoder = f"with method={config.method}", config.gan.generator["name"]
    allowed = f"none, {with_method}: its encoder sees the image itself"
    require(not config.given, "given", ", ".join(config.given), allowed)
    allowed = f"makes images of others, and {with_method} it is the decoder; set gan/generator=dcgan, gan.latent_dim=16"
    require(not takes_given(config), "gan.generator.name", decoder, allowed)
    classes = f"none, {with_method}: it is not told of which class an image is"
    require(config.gan.conditioning == "none", "gan.conditioning", config.gan.conditioning, classes)


def check_encoder(config: Config, facts: Facts) -> None:
    """Build the encoder without memory for weights, and refuse data that do not say what is normal.

    Raises:
        ConfigError: with the key.
    """
    check_signal(config, facts, "encoder", "detection/encoder")
    with shapes_only():
        build_encoder(config, facts)
    normal = "needs data that say what is normal; set data.normal, or data=inspection"
    require(bool(facts.normal), "method", config.method, normal)


def build_encoder(config: Config, facts: Facts) -> nn.Module:
    """The encoder, with fresh weights from torch's generator."""
    encoder: nn.Module = components.build(
        "encoder", config.detection.encoder, "detection.encoder", latent_dim=config.gan.latent_dim,
        **network_facts(facts.shape, 0),
    )  # fmt: skip
    return encoder
