"""GANomaly (Akcay et al., 2018): an autoencoder of normal images, and a second encoder, of what it makes of them.

Shapes: as in :mod:`ganflow.methods.gan`; codes (N, latent_dim).
"""

from dataclasses import dataclass, field, replace

import torch
from torch import nn
from torch.nn.functional import l1_loss, mse_loss

from ganflow.config import components
from ganflow.config.components import component
from ganflow.config.schema import Config, DetectionConfig
from ganflow.data.prepared.dataset import Facts
from ganflow.errors import require
from ganflow.methods.base import Batch, BuiltMethod, Kept, Terms, to_float32
from ganflow.methods.build import kept_code
from ganflow.methods.f_anogan import check_decoder, check_encoder
from ganflow.methods.gan import GAN, GANBuilder, build_regularizers, of_networks
from ganflow.methods.networks.facts import network_facts


@dataclass
class GANomaly(GAN):
    """``w_adv · (f(x) − f(x̂))² + w_con · |x − x̂| + w_enc · (E(x) − Ê(x̂))²`` (eq. 1 to 4); D learns as in a GAN.

    f is what D's last layer is given. The three are means over their numbers, as in the authors' program.
    """

    weights: DetectionConfig = field(kw_only=True)

    def discriminator_terms(self, batch: Batch) -> Terms:
        """Terms of D's turn on real images and on reconstructions of them."""
        return super().discriminator_terms(replace(batch, given=batch.real))

    def generator_terms(self, batch: Batch) -> Terms:
        """Terms of the turn of E, decoder and Ê."""
        again, code, code_again = map(to_float32, self.G(batch.z, None, batch.real, True))
        terms = {"pixels": l1_loss(again, batch.real), "codes": mse_loss(code_again, code)}
        if self.weights.features:
            with torch.no_grad():
                of_real = self._features(batch, batch.real, None)
            pairs = zip(self._features(batch, again, None), of_real, strict=True)
            terms["features"] = torch.stack([mse_loss(a, b) for a, b in pairs]).mean()
        return {name: getattr(self.weights, name) * term for name, term in terms.items()}


@component("method", "ganomaly")
class GANomalyBuilder(GANBuilder):
    """Encoder, decoder and second encoder against a discriminator, for anomaly detection (Akcay et al., 2018)."""

    sections = ("gan", "detection")

    def build(self, config: Config, facts: Facts, device: torch.device) -> BuiltMethod:
        """Two players: D, and the other three networks as one, which is kept."""
        built = super().build(config, facts, device)
        assert isinstance(built.method, GAN)
        return replace(built, method=GANomaly(**of_networks(built.method), weights=config.detection))

    def generator(self, config: Config, facts: Facts) -> nn.Module:
        """Encoder, decoder and second encoder."""
        whole = self.kept(config, facts)
        network: nn.Module = components.build(
            "generator", whole.network, "gan.generator", latent_dim=whole.latent_dim,
            **network_facts(facts.shape, 0, whole.given_shape),
        )  # fmt: skip
        return network

    def kept(self, config: Config, facts: Facts) -> Kept:
        """The three networks."""
        return kept_code(config, facts, config.detection.encoder, second=True)

    def check(self, config: Config, facts: Facts) -> None:
        """Those of a GAN, and the encoders."""
        second = bool(config.gan.generator.get("second"))
        require(not second, "gan.generator.second", second, "false: a second encoder is of method=ganomaly alone")
        if config.method == "ganomaly":
            check_decoder(config)
            super().check(config, facts)
            check_encoder(config, facts)
            for name, regularizer in build_regularizers(config).items():
                allowed = "regularises a generator of noise, which method=ganomaly has none of"
                require(not regularizer.overrides("generator_term"), f"gan.regularizers.{name}", name, allowed)
