"""What a configuration names, built for data of a kind and size: networks, loss, regularisers, augmentation."""

from typing import Any

import torch
from torch import nn

from ganflow.config import components
from ganflow.config.params_file import at_the_end
from ganflow.config.scheduled_options import moving
from ganflow.config.schema import Config
from ganflow.data.prepared.dataset import IMAGES, POINTS
from ganflow.errors import ConfigError, require
from ganflow.methods.augment.base import Augmentation
from ganflow.methods.losses.base import AdversarialLoss
from ganflow.methods.regularizers.base import Regularizer


def build_networks(config: Config, resolution: int, channels: int, num_classes: int) -> tuple[nn.Module, nn.Module]:
    """G and D for images of this kind, with fresh weights from torch's generator.

    Raises:
        ConfigError: a network that cannot make or judge such images, with its key.
    """
    classes = conditioning_classes(config, num_classes)
    facts: dict[str, Any] = {"resolution": resolution, "channels": channels, "num_classes": classes}
    G: nn.Module = components.build(
        "generator", config.gan.generator, "gan.generator", latent_dim=config.gan.latent_dim, **facts
    )
    facts["conditioning"] = config.gan.conditioning
    D: nn.Module = components.build("discriminator", config.gan.discriminator, "gan.discriminator", **facts)
    return G, D


def conditioning_classes(config: Config, num_classes: int) -> int:
    """How many classes the networks are told of: 0 when the method is unconditional."""
    if config.gan.conditioning == "none":
        return 0
    key, value = "gan.conditioning", config.gan.conditioning
    has = "a single class" if num_classes else "no labels"
    require(num_classes > 1, key, value, f"the data set has {has}; set gan.conditioning=none")
    return num_classes


def check_fits(config: Config, resolution: int, channels: int, num_classes: int, kind: str = IMAGES) -> None:
    """Build everything that the configuration names, without memory for weights, so that a misfit shows at once.

    Raises:
        ConfigError: the first component that refuses its options or data of this kind and size.
    """
    if kind == POINTS:
        _check_points(config)
    with torch.device("meta"):
        G, _ = build_networks(config, resolution, channels, num_classes)
        facts = {"latent_dim": config.gan.latent_dim, "resolution": resolution, "channels": channels}
        components.build("encoder", config.vae.encoder, "vae.encoder", num_classes=num_classes, **facts)
    loss, augmentation = build_loss(config), build_augmentation(config)
    fits, way_out = loss.boundary is not None or not augmentation.follows_logits, "set gan.augmentation.target=0 and p"
    follows = f"follows where D's logits lie, which the loss {config.gan.loss['name']} leaves open; {way_out}"
    require(fits, "gan.augmentation.name", config.gan.augmentation["name"], follows)
    for name, regularizer in build_regularizers(config).items():
        key = f"gan.regularizers.{name}"
        fits = "w" not in regularizer.differentiates or getattr(G, "has_w", False)
        require(fits, key, name, "needs a generator with a mapping network, as gan/generator=stylegan2")
    components.build("optimizer", config.optimizers.generator, "optimizers.generator")
    components.build("optimizer", config.optimizers.discriminator, "optimizers.discriminator")
    components.build("extractor", config.evaluation.extractor, "evaluation.extractor")
    for name, node in config.evaluation.metrics.items():
        components.build("metric", node, f"evaluation.metrics.{name}")
    if moving(config):
        _check_ends(config, resolution, channels, num_classes, kind)


def _check_ends(config: Config, resolution: int, channels: int, num_classes: int, kind: str) -> None:
    augments = [key for key in moving(config) if key.startswith("gan.augmentation.")]
    if augments:
        steers, key = build_augmentation(config).follows_logits, f"training.schedule.to.{augments[0]}"
        allowed = "D's logits steer the augmentation; set gan.augmentation.target=0"
        require(not steers, key, moving(config)[augments[0]], allowed)
    try:
        check_fits(at_the_end(config), resolution, channels, num_classes, kind)
    except ConfigError as error:
        raise error.under("training.schedule.to") from None


def _check_points(config: Config) -> None:
    """Points in the plane are for components that say so by ``points = True``."""
    begin = f"or begin with experiment={config.data['name']}"
    networks = {"generator": config.gan.generator["name"], "discriminator": config.gan.discriminator["name"]}
    for group, name in networks.items():
        fits, way_out = _takes_points(group, name), f"set gan/{group}=mlp, {begin}"
        require(fits, f"gan.{group}.name", name, f"is for images, and these data are points; {way_out}")
    extractor = config.evaluation.extractor["name"]
    fits, way_out = _takes_points("extractor", extractor), f"set evaluation/extractor=pixels, {begin}"
    require(fits, "evaluation.extractor.name", extractor, f"is for images, and these data are points; {way_out}")
    for name in config.evaluation.metrics:
        metric: Any = components.choices("metric")[name]
        fits, way_out = metric.points, f"set evaluation/metrics=[modes], {begin}"
        require(fits, "evaluation.metrics", name, f"measures images, and these data are points; {way_out}")


def _takes_points(group: str, name: str) -> bool:
    return bool(getattr(components.choices(group)[name], "points", False))


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
