"""The adversarial method (Goodfellow et al., 2014, algorithm 1), as terms that each player minimises.

Nothing here knows of gradients' averaging, precision, Ray or logging: the sum of a turn's terms is what is
optimised, and the same terms are what is logged.

Shapes: real, fake (N, C, H, W) in [-1, 1]; z (N, latent_dim); labels (N,) or None; logits (N,).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ganflow import component
from ganflow.config import Config
from ganflow.data.dataset import IMAGES, POINTS
from ganflow.errors import require
from ganflow.losses.base import AdversarialLoss

Network = Callable[[Tensor, Tensor | None], Tensor]
Terms = dict[str, Tensor]


class Penalty(Protocol):
    """A term of the discriminator's turn that is due every ``interval``-th turn."""

    interval: int

    def __call__(self, real: Tensor, real_logits: Tensor) -> Tensor: ...


@dataclass
class GAN:
    """Two players and what each minimises in its turn."""

    G: Network
    D: Network
    loss: AdversarialLoss
    penalties: Mapping[str, Penalty]

    def discriminator_terms(
        self, real: Tensor, labels: Tensor | None, z: Tensor, z_labels: Tensor | None, turn: int
    ) -> Terms:
        """Terms of D's turn number ``turn`` on real images and on as many fakes."""
        due = {name: penalty for name, penalty in self.penalties.items() if turn % penalty.interval == 0}
        with torch.no_grad():
            fake = self.G(z, z_labels)
        real = real.detach().requires_grad_(bool(due))
        real_logits = self.D(real, labels)
        fake_logits = self.D(fake, z_labels)
        terms = {"adversarial": self.loss.discriminator(real_logits, fake_logits)}
        for name, penalty in due.items():
            terms[name] = penalty(real, real_logits) * penalty.interval
        return terms

    def generator_terms(self, z: Tensor, z_labels: Tensor | None) -> Terms:
        """Terms of G's turn."""
        return {"adversarial": self.loss.generator(self.D(self.G(z, z_labels), z_labels))}


def build_networks(config: Config, resolution: int, channels: int, num_classes: int) -> tuple[nn.Module, nn.Module]:
    """G and D for images of this kind, with fresh weights from torch's generator.

    Raises:
        ConfigError: a network that cannot make or judge such images, with its key.
    """
    classes = conditioning_classes(config, num_classes)
    facts: dict[str, Any] = {"resolution": resolution, "channels": channels, "num_classes": classes}
    G: nn.Module = component.build(
        "generator", config.gan.generator, "gan.generator", latent_dim=config.gan.latent_dim, **facts
    )
    D: nn.Module = component.build("discriminator", config.gan.discriminator, "gan.discriminator", **facts)
    return G, D


def conditioning_classes(config: Config, num_classes: int) -> int:
    """How many classes the networks are told of: 0 when the method is unconditional."""
    if config.gan.conditioning == "none":
        return 0
    key, value = "gan.conditioning", config.gan.conditioning
    require(num_classes > 1, key, value, "the data set has no labels; set gan.conditioning=none")
    return num_classes


def check_fits(config: Config, resolution: int, channels: int, num_classes: int, kind: str = IMAGES) -> None:
    """Build everything that the configuration names, without memory for weights, so that a misfit shows at once.

    Raises:
        ConfigError: the first component that refuses its options or data of this kind and size.
    """
    with torch.device("meta"):
        build_networks(config, resolution, channels, num_classes)
    build_loss(config)
    build_penalties(config)
    component.build("optimizer", config.optimizers.generator, "optimizers.generator")
    component.build("optimizer", config.optimizers.discriminator, "optimizers.discriminator")
    for name, node in config.evaluation.metrics.items():
        metric = component.build("metric", node, f"evaluation.metrics.{name}")
        fits, way_out = kind != POINTS or getattr(metric, "points", False), "set evaluation/metrics=[modes]"
        require(fits, "evaluation.metrics", name, f"measures images, and these data are points; {way_out}")


def build_loss(config: Config) -> AdversarialLoss:
    """The adversarial loss that the configuration names."""
    loss: AdversarialLoss = component.build("loss", config.gan.loss, "gan.loss")
    return loss


def build_penalties(config: Config) -> dict[str, Penalty]:
    """The regularisers that the configuration names, by name."""
    chosen = config.gan.regularizers.items()
    return {name: component.build("regularizer", node, f"gan.regularizers.{name}") for name, node in chosen}
