"""Regression: a generator alone that learns its content losses, such as the model with the highest PSNR.

SRGAN and ESRGAN begin with such a model (Ledig et al., 2017, section 3.2; Wang et al., 2018, section 4.1), and an
adversarial one has to be held against it. Shapes: as in :mod:`ganflow.methods.gan`.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from ganflow.config.components import component
from ganflow.config.schema import Config
from ganflow.data.prepared.dataset import Facts
from ganflow.errors import require
from ganflow.methods.base import Batch, BuiltMethod, Kept, MethodBuilder, Network, Terms, Turn, to_float32
from ganflow.methods.build import build_generator, check_signal, given_shape, shapes_only
from ganflow.methods.content import build_content, check_content, chosen_content, content_terms, made_of
from ganflow.methods.content_losses.base import ContentLoss
from ganflow.methods.players.player import build_player
from ganflow.methods.regularizers.base import GeneratorTurn


@dataclass
class Regression:
    """One player, whose terms are the content losses."""

    G: Network
    content: Mapping[str, ContentLoss]

    @functools.cached_property
    def turns(self) -> list[Turn]:
        """The one player's turn, on new real images."""
        return [Turn("G", self.terms)]

    @functools.cached_property
    def modules(self) -> nn.ModuleDict:
        """Content losses: their buffers are state."""
        return nn.ModuleDict(dict(self.content))

    @property
    def schedulable(self) -> Mapping[str, object]:
        """The content losses."""
        return {f"gan.content.{name}": loss for name, loss in self.content.items()}

    def figures(self) -> Terms:
        """None beside the terms."""
        return {}

    def terms(self, batch: Batch) -> Terms:
        """The terms that G minimises."""
        fake = to_float32(self.G(*made_of(batch, batch.labels)))
        turn = GeneratorTurn(self.G, batch.z, batch.labels, fake, batch.draw, batch.real, batch.hidden)
        return content_terms(self.content, turn)


@component("method", "regression")
class RegressionBuilder(MethodBuilder):
    """A generator that learns its content losses alone, without an adversary."""

    sections = ("given", "gan")
    schedulable = ("gan.content",)
    optimizers: ClassVar[Mapping[str, str]] = {"G": "optimizers.generator"}

    def build(self, config: Config, facts: Facts, device: torch.device) -> BuiltMethod:
        """One player, which makes the images."""
        network = build_generator(config, facts)
        player = build_player(network, config, self.optimizers["G"], device)
        method = Regression(player, build_content(config))
        method.modules.to(device)
        return BuiltMethod(method, {"G": player}, self.optimizers, network, "G")

    def kept(self, config: Config, facts: Facts) -> Kept:
        """The generator."""
        return Kept(config.gan.generator, config.gan.latent_dim, given_shape(config, facts))

    def check(self, config: Config, facts: Facts) -> None:
        """Build the generator and the content losses, of which there has to be one that needs no D."""
        if config.method != "regression":
            return
        check_signal(config, facts, "generator", "gan/generator")
        with shapes_only():
            build_generator(config, facts)
        check_content(config, facts)
        content = chosen_content(config)
        allowed = "with method=regression it is all that G learns from; set gan/content=[l1] or others"
        require(bool(content), "gan.content", list(content), allowed)
        for name, loss in content.items():
            allowed = "compares what D sees, and method=regression has no D; set method=gan"
            require(not loss.of_features, f"gan.content.{name}", name, allowed)
