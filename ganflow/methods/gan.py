"""The adversarial method (Goodfellow et al., 2014, algorithm 1), as terms that each player minimises.

Shapes: real, fake (N, C, H, W) in [-1, 1]; z (N, latent_dim); labels (N,) or None; logits (N,), or (N, K) of a D that
judges K parts of an image: losses are means over all of them; given (N, C', H', W') where G makes an image of what it
is given of it.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ganflow.config import components
from ganflow.config.components import component
from ganflow.config.scheduled_options import moving
from ganflow.config.schema import Config
from ganflow.data.prepared.dataset import Facts
from ganflow.distributed import collectives
from ganflow.errors import require
from ganflow.methods.augment.base import Augmentation
from ganflow.methods.augment.none import NoAugmentation
from ganflow.methods.augmented_discriminator import AugmentedDiscriminator, DiscriminatorOutputs, Judgement
from ganflow.methods.base import Batch, BuiltMethod, Kept, MethodBuilder, Network, Terms, Turn, to_float32
from ganflow.methods.build import build_generator, check_signal, conditioning_classes, given_shape, shapes_only
from ganflow.methods.content import build_content, check_content, content_terms, made_of
from ganflow.methods.content_losses.base import ContentLoss
from ganflow.methods.discriminator_features import features
from ganflow.methods.losses.base import AdversarialLoss
from ganflow.methods.networks.base import Discriminator
from ganflow.methods.networks.facts import network_facts
from ganflow.methods.players.frozen_layers import freeze_first
from ganflow.methods.players.player import build_player
from ganflow.methods.regularizers.base import DiscriminatorTurn, GeneratorTurn, Regularizer

ROWS = 128  # of the whole batch, from which figures are made


@dataclass
class GAN:
    """Two players and what each minimises in its turn."""

    G: Network
    D: Network
    loss: AdversarialLoss
    regularizers: Mapping[str, Regularizer] = field(default_factory=dict)
    augmentation: Augmentation = field(default_factory=NoAugmentation)
    d_steps: int = 1
    content: Mapping[str, ContentLoss] = field(default_factory=dict)
    sees_given: bool = False  # D judges an image beside what G was given of it
    judge: nn.Module | None = None  # D's network, for losses that look into it
    _outputs: list[DiscriminatorOutputs] = field(default_factory=list, init=False, repr=False)  # of D's last turn

    @functools.cached_property
    def turns(self) -> list[Turn]:
        """``d_steps`` turns of D on new real images, then one of G."""
        finish, adjust, constrain = self._finish, self._adjust_gradients, self._constrain_discriminator
        of_d = Turn("D", self.discriminator_terms, True, False, finish, adjust, constrain)
        own_images = self.loss.paired and self.loss.fresh_reals
        of_g = Turn("G", self.generator_terms, False, own_images, finish, adjust)
        return [of_d] * self.d_steps + [of_g]

    @functools.cached_property
    def modules(self) -> nn.ModuleDict:
        """Regularisers, content losses and augmentation: their buffers are state."""
        return nn.ModuleDict({**self.regularizers, **self.content, "augmentation": self.augmentation})

    @property
    def schedulable(self) -> Mapping[str, object]:
        """Loss, augmentation, regularisers and content losses."""
        regularizers = {f"gan.regularizers.{name}": regularizer for name, regularizer in self.regularizers.items()}
        content = {f"gan.content.{name}": loss for name, loss in self.content.items()}
        return {"gan.loss": self.loss, "gan.augmentation": self.augmentation, **regularizers, **content}

    def discriminator_terms(self, batch: Batch) -> Terms:
        """Terms of D's turn on real images and on as many fakes."""
        due = self._due("discriminator_term", batch.turn)
        D, labels = self._discriminator(batch), self._fake_labels(batch)
        with torch.no_grad():
            fake = self.G(*made_of(batch, labels))
        real = batch.real.detach().requires_grad_(_differentiated("real", due))
        fake.requires_grad_(_differentiated("fake", due))
        on_real, on_fake = D(real, batch.labels), D(fake, labels)
        terms = {"adversarial": self.loss.discriminator(on_real.logits, on_fake.logits)}
        terms |= _class_terms((on_real, batch.labels), (on_fake, labels))
        real_logits, fake_logits = on_real.by_image.detach(), on_fake.by_image.detach()
        self._keep(DiscriminatorOutputs(batch.real, fake, real_logits, fake_logits, batch.place, batch.size))
        self._show_augmentation(real_logits, batch)
        logits, step = (on_real.logits, on_fake.logits), batch.turn // self.d_steps
        turn = DiscriminatorTurn(D.logits, real, batch.labels, fake, labels, *logits, batch.draw, step)
        return terms | _weighted(due, {name: r.discriminator_term(turn) for name, r in due.items()})

    def generator_terms(self, batch: Batch) -> Terms:
        """Terms of G's turn."""
        due = self._due("generator_term", batch.turn)
        D, labels = self._discriminator(batch), self._fake_labels(batch)
        fake = self.G(*made_of(batch, labels))
        on_fake = D(fake, labels)
        with torch.no_grad():
            real_logits = D(batch.real, batch.labels).logits if self.loss.paired else None
        terms = {"adversarial": self.loss.generator(on_fake.logits, real_logits)}
        terms |= _class_terms((on_fake, labels))
        features_of = functools.partial(self._features, batch)
        turn = GeneratorTurn(self.G, batch.z, labels, fake, batch.draw, batch.real, batch.hidden, features_of)
        terms |= content_terms(self.content, turn)
        return terms | _weighted(due, {name: r.generator_term(turn) for name, r in due.items()})

    @torch.no_grad()
    def figures(self) -> Terms:
        """The augmentation's, and signs of mode collapse in D's last turn, of at most ``ROWS`` rows of the whole batch.

        ``sample_diversity`` is the mean distance of two fakes over that of two real images: 0 when all are one image.
        ``D_accuracy`` is the share of pairs in which D prefers the real image: 1/2 when it cannot tell, 1 when it is
        saturated. It needs no threshold, so it holds for every loss.
        """
        figures = {f"augment/{name}": figure for name, figure in self.augmentation.figures().items()}
        if not self._outputs or self._outputs[0].size < 2:
            return figures
        mine = map(torch.cat, zip(*(part.first(ROWS) for part in self._outputs), strict=True))
        real, fake, real_logits, fake_logits = map(collectives.gather_rows, mine)
        least = torch.finfo(real.dtype).tiny
        return figures | {
            "sample_diversity": _spread(fake) / _spread(real).clamp_min(least),
            "D_accuracy": (real_logits[:, None] > fake_logits[None]).float().mean(),
        }

    def _keep(self, part: DiscriminatorOutputs) -> None:
        if self._outputs and part.place <= self._outputs[-1].place:
            self._outputs = []  # a new turn
        self._outputs.append(part)

    def _finish(self) -> None:
        self.augmentation.finish_turn()
        for regularizer in self.regularizers.values():
            regularizer.finish_turn()

    def _show_augmentation(self, real_logits: Tensor, batch: Batch) -> None:
        if self.loss.boundary is not None:
            self.augmentation.observe(real_logits - self.loss.boundary, batch.size, batch.turn)

    def _due(self, hook: str, turn: int) -> dict[str, Regularizer]:
        return {n: r for n, r in self.regularizers.items() if turn % r.interval == 0 and r.overrides(hook)}

    def _fake_labels(self, batch: Batch) -> Tensor | None:
        # A loss of pairs compares a fake with a real image of the same class; so does G that is given an image.
        return batch.labels if self.loss.paired or batch.given is not None else batch.z_labels

    def _discriminator(self, batch: Batch) -> AugmentedDiscriminator:
        perturbing = [r for r in self.regularizers.values() if r.overrides("perturb")]
        return AugmentedDiscriminator(self.D, self.augmentation, perturbing, batch, self.sees_given)

    def _features(self, batch: Batch, images: Tensor, labels: Tensor | None) -> list[Tensor]:
        """The inputs of D's last layers, of images as they are."""
        assert self.judge is not None
        given = (batch.given,) if self.sees_given and batch.given is not None else ()
        return [to_float32(each) for each in features(self.judge, images, labels, *given)[1]]

    def _adjust_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        for regularizer in self.regularizers.values():
            regularizer.adjust_gradients(parameters)

    def _constrain_discriminator(self, parameters: Sequence[nn.Parameter]) -> None:
        for regularizer in self.regularizers.values():
            regularizer.constrain_discriminator(parameters)


def _spread(images: Tensor) -> Tensor:
    """Mean Euclidean distance of two of the images."""
    return torch.pdist(images.flatten(1).float()).mean()


def _class_terms(*judged: tuple[Judgement, Tensor | None]) -> Terms:
    """The auxiliary classifier's cross-entropies (Odena et al., 2017, eq. 3), where D has one."""
    each = [cross_entropy(v.classes, of) for v, of in judged if v.classes is not None and of is not None]
    return {"class": torch.stack(each).sum()} if each else {}


def _differentiated(what: str, due: Mapping[str, Regularizer]) -> bool:
    return any(what in regularizer.differentiates for regularizer in due.values())


def _weighted(due: Mapping[str, Regularizer], terms: Mapping[str, Tensor | None]) -> Terms:
    lazy = {name: due[name].interval for name in terms}
    return {n: t if lazy[n] == 1 else t * lazy[n] for n, t in terms.items() if t is not None}


def of_networks(gan: GAN) -> dict[str, Any]:
    """The parts of a GAN by name, of which another method is made."""
    return {part.name: getattr(gan, part.name) for part in fields(gan) if part.init}


@component("method", "gan")
class GANBuilder(MethodBuilder):
    """A generator against a discriminator (Goodfellow et al., 2014)."""

    sections = ("given", "gan")
    schedulable = ("gan.loss", "gan.augmentation", "gan.regularizers", "gan.content")
    optimizers: ClassVar[Mapping[str, str]] = {"G": "optimizers.generator", "D": "optimizers.discriminator"}

    def build(self, config: Config, facts: Facts, device: torch.device) -> BuiltMethod:
        """Two players, of which G is sampled."""
        G, D = self.generator(config, facts), build_discriminator(config, facts)
        networks = {"G": G, "D": D}
        freeze_first(D, config.gan.freeze_discriminator, "gan.freeze_discriminator")
        players = {name: build_player(net, config, self.optimizers[name], device) for name, net in networks.items()}
        loss, regularizers, augmentation = build_loss(config), build_regularizers(config), build_augmentation(config)
        method = GAN(
            players["G"], players["D"], loss, regularizers, augmentation, config.training.d_steps,
            build_content(config), D.sees_given, D,
        )  # fmt: skip
        method.modules.to(device)
        return BuiltMethod(method, players, self.optimizers, G, "G")

    def generator(self, config: Config, facts: Facts) -> nn.Module:
        """The network of the player G, with fresh weights from torch's generator."""
        return build_generator(config, facts)

    def kept(self, config: Config, facts: Facts) -> Kept:
        """The generator."""
        return Kept(config.gan.generator, config.gan.latent_dim, given_shape(config, facts))

    def check(self, config: Config, facts: Facts) -> None:
        """Build networks, loss, augmentation and regularisers."""
        for group in ("generator", "discriminator"):
            check_signal(config, facts, group, f"gan/{group}")
        with shapes_only():
            G, D = build_networks(config, facts)
        _check_augmentation(config)
        _check_given(config, D)
        check_content(config, facts)
        for name, regularizer in build_regularizers(config).items():
            fits = "w" not in regularizer.differentiates or getattr(G, "has_w", False)
            needs = "needs a generator with a mapping network, such as gan/generator=stylegan2"
            require(fits, f"gan.regularizers.{name}", name, needs)


def _check_given(config: Config, D: Discriminator) -> None:
    """An augmentation would change the image alone, and not what it is judged beside."""
    key, name = "gan.augmentation.name", config.gan.augmentation["name"]
    allowed = "none: this D judges an image beside what G was given of it, which would not be augmented alike"
    require(not D.sees_given or name == "none", key, name, allowed)


def _check_augmentation(config: Config) -> None:
    """An augmentation that D's logits steer needs a loss that gives them a zero, and moves by itself."""
    steered = build_augmentation(config).follows_logits
    open_, hint = build_loss(config).boundary is None, "set gan.augmentation.target=0 and p"
    follows = f"follows where D's logits lie, which the loss {config.gan.loss['name']} leaves open; {hint}"
    require(not (steered and open_), "gan.augmentation.name", config.gan.augmentation["name"], follows)
    for key, end in moving(config).items():
        if key.startswith("gan.augmentation."):
            allowed = "D's logits steer the augmentation; set gan.augmentation.target=0"
            require(not steered, f"training.schedule.to.{key}", end, allowed)


def build_networks(config: Config, facts: Facts) -> tuple[nn.Module, Discriminator]:
    """G and D for data of this kind and size, with fresh weights from torch's generator.

    Raises:
        ConfigError: a network that cannot make or judge such images, with its key.
    """
    return build_generator(config, facts), build_discriminator(config, facts)


def build_discriminator(config: Config, facts: Facts) -> Discriminator:
    """D for data of this kind and size, with fresh weights from torch's generator.

    Raises:
        ConfigError: as :func:`build_networks`.
    """
    D: Discriminator = components.build(
        "discriminator", config.gan.discriminator, "gan.discriminator", conditioning=config.gan.conditioning,
        **network_facts(facts.shape, conditioning_classes(config, facts), given_shape(config, facts)),
    )  # fmt: skip
    return D


def build_loss(config: Config) -> AdversarialLoss:
    """The adversarial loss that the configuration names."""
    loss: AdversarialLoss = components.build("loss", config.gan.loss, "gan.loss")
    return loss


def build_regularizers(config: Config) -> dict[str, Regularizer]:
    """The regularisers that the configuration names, by name."""
    chosen = config.gan.regularizers.items()
    return {name: components.build("regularizer", node, f"gan.regularizers.{name}") for name, node in chosen}


def build_augmentation(config: Config) -> Augmentation:
    """The augmentation that the configuration names."""
    augmentation: Augmentation = components.build("augmentation", config.gan.augmentation, "gan.augmentation")
    return augmentation
