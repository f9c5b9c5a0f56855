"""A generator that sees an image through a code of few numbers: what it has not learned, it cannot make again."""

from typing import Any

from torch import Tensor, nn

from ganflow.config import components
from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.networks.facts import network_facts
from ganflow.methods.networks.restoration.base import RestorationGenerator, checked_given
from ganflow.signals.base import Shape


@component("generator", "autoencoder")
class AutoencoderGenerator(RestorationGenerator):
    """``decoder(encoder(given))``, through a code of so many numbers: an encoder and a generator of the other groups.

    The code is the mean that the encoder gives. Akcay et al. (2018, GANomaly), Schlegl et al. (2019, f-AnoGAN) and
    autoencoders detect anomalies by what is lost on the way; the first with a ``second`` encoder, of the images made.
    """

    any_size = False

    def __init__(
        self,
        latent_dim: int,
        shape: Shape,
        given: Shape | None,
        num_classes: int,
        code: int = 32,
        encoder: dict[str, Any] = {"name": "conv"},  # noqa: B006 - read only, a configuration default
        decoder: dict[str, Any] = {"name": "dcgan"},  # noqa: B006
        second: bool = False,
    ) -> None:
        super().__init__()
        self.encoder: nn.Module
        self.decoder: nn.Module
        self.second: nn.Module | None = None
        given = checked_given("autoencoder", given)
        require(latent_dim == 0, "name", "autoencoder", "takes no noise; set gan.latent_dim=0")
        require(code > 0, "code", code, "must be at least 1")
        facts = network_facts(given, num_classes)
        self.encoder = components.build("encoder", encoder, "encoder", latent_dim=code, **facts)
        facts = network_facts(shape, num_classes)
        self.decoder = components.build("generator", decoder, "decoder", latent_dim=code, **facts)
        if second:
            self.second = components.build("encoder", encoder, "encoder", latent_dim=code, **facts)

    def forward(
        self, z: Tensor, labels: Tensor | None, given: Tensor, codes: bool = False
    ) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """Images; with ``codes`` also the codes of what is given, and those of the images."""
        code = self.codes(given, labels)
        images: Tensor = self.decoder(code, labels)
        return (images, code, self.codes_again(images, labels)) if codes else images

    def codes(self, given: Tensor, labels: Tensor | None = None) -> Tensor:
        """The codes of images: (N, code)."""
        mean: Tensor = self.encoder(given, labels)[0]
        return mean

    def codes_again(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """The codes of images that this network made, as it would be given them: (N, code)."""
        mean: Tensor = (self.second or self.encoder)(images, labels)[0]
        return mean


def through_a_code(encoder: nn.Module, decoder: nn.Module) -> AutoencoderGenerator:
    """Two networks that are there already as one, which has their weights."""
    both = AutoencoderGenerator.__new__(AutoencoderGenerator)
    nn.Module.__init__(both)
    both.encoder, both.decoder, both.second = encoder, decoder, None
    return both
