"""From a configuration and the data's facts to a method, for any method; and the parts that methods share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ganflow.config import components
from ganflow.config.params_file import at_the_end
from ganflow.config.scheduled_options import moving, value_at
from ganflow.config.schema import Config
from ganflow.data.prepared.dataset import POINTS, Facts
from ganflow.errors import ConfigError, require
from ganflow.methods.base import BuiltMethod, MethodBuilder


def build_method(config: Config, facts: Facts, device: torch.device) -> BuiltMethod:
    """The method that the configuration names, with its players.

    Raises:
        ConfigError: as :meth:`MethodBuilder.build`.
    """
    return _builder(config.method).build(config, facts, device)


def _builder(name: str) -> MethodBuilder:
    return cast(MethodBuilder, components.choices("method")[name]())


def check_fits(config: Config, facts: Facts) -> None:
    """Build everything that the configuration names, without memory for weights, so that a misfit shows at once.

    Raises:
        ConfigError: the first component that refuses its options or data of this kind and size.
    """
    builders = [_builder(name) for name in components.choices("method")]  # params.yaml has the options of each
    for builder in builders:
        builder.check(config, facts)
    for key in dict.fromkeys(key for builder in builders for key in builder.optimizers.values()):
        components.build("optimizer", value_at(config, key), key)
    _check_evaluation(config, facts)
    if moving(config):
        try:
            check_fits(at_the_end(config), facts)
        except ConfigError as error:
            raise error.under("training.schedule.to") from None


@contextmanager
def shapes_only() -> Iterator[None]:
    """In the block, tensors have a shape and no values, and drawing values does nothing.

    PyTorch would load its symbolic mathematics to draw nothing: two seconds.
    """
    with torch.device("meta"), _NothingDrawn():
        yield


class _NothingDrawn(TorchFunctionMode):
    FILL = (torch.Tensor.normal_, torch.Tensor.uniform_, nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options = kwargs or {}
        if func in self.FILL:
            return args[0] if args else options["tensor"]
        return (torch.empty if func is torch.randn else func)(*args, **options)


def _check_evaluation(config: Config, facts: Facts) -> None:
    check_points(config, facts, "extractor", "evaluation/extractor", "pixels")
    metrics: dict[str, Any] = components.choices("metric")
    for name in config.evaluation.metrics:
        fits = facts.kind != POINTS or metrics[name].points
        hint = f"set evaluation/metrics=[modes], {_or_begin(config)}"
        require(fits, "evaluation.metrics", name, f"measures images, and these data are points; {hint}")
    components.build("extractor", config.evaluation.extractor, "evaluation.extractor")
    for name, node in config.evaluation.metrics.items():
        components.build("metric", node, f"evaluation.metrics.{name}")


def check_points(config: Config, facts: Facts, group: str, slot: str, fitting: str) -> None:
    """Refuse a component for images where the data are points; those for points say so by ``points = True``.

    Args:
        config: names the component.
        facts: of the data.
        group: the component's.
        slot: where it stands, as in ``gan/generator``.
        fitting: one that takes points, for the error.
    """
    key = slot.replace("/", ".")
    name = value_at(config, f"{key}.name")
    hint = f"set {slot}={fitting}, {_or_begin(config)}"
    fits = _fits(facts, group, name)
    require(fits, f"{key}.name", name, f"is for images, and these data are points; {hint}")


def _fits(facts: Facts, group: str, name: str) -> bool:
    return facts.kind != POINTS or bool(getattr(components.choices(group)[name], "points", False))


def _or_begin(config: Config) -> str:
    return f"or begin with experiment={config.data['name']}"


def build_generator(config: Config, facts: Facts) -> nn.Module:
    """The generator: z (N, latent_dim), labels (N,) or None → images, with fresh weights from torch's generator."""
    classes = conditioning_classes(config, facts)
    generator: nn.Module = components.build(
        "generator", config.gan.generator, "gan.generator", latent_dim=config.gan.latent_dim,
        resolution=facts.resolution, channels=facts.channels, num_classes=classes,
    )  # fmt: skip
    return generator


def conditioning_classes(config: Config, facts: Facts) -> int:
    """The number of classes that networks are told of: 0 when they are unconditional."""
    if config.gan.conditioning == "none":
        return 0
    key, value = "gan.conditioning", config.gan.conditioning
    has = "a single class" if facts.num_classes else "no labels"
    require(facts.num_classes > 1, key, value, f"the data set has {has}; set gan.conditioning=none")
    return facts.num_classes
