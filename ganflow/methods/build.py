"""From a configuration and the data's facts to a method, for any method; and the parts that methods share."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ganflow.config import components
from ganflow.config.params_file import at_the_end
from ganflow.config.scheduled_options import moving, value_at
from ganflow.config.schema import Config
from ganflow.data.prepared.dataset import Facts
from ganflow.errors import ConfigError, require
from ganflow.methods.base import BuiltMethod, MethodBuilder
from ganflow.methods.generator import network_facts
from ganflow.signals import named
from ganflow.signals.base import IMAGE


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
    check_signal(config, facts, "extractor", "evaluation/extractor")
    signal, metrics = facts.signal, components.choices("metric")
    for name in config.evaluation.metrics:
        knows = _signals(metrics[name])
        others = [other for other, metric in metrics.items() if signal.family in _signals(metric)]
        hint = f"set evaluation/metrics=[{','.join(others)}], {_or_begin(config)}"
        misfit = f"measures {_plural(knows)}, and these data are {signal.plural}; {hint}"
        require(signal.family in knows, "evaluation.metrics", name, misfit)
    components.build("extractor", config.evaluation.extractor, "evaluation.extractor")
    for name, node in config.evaluation.metrics.items():
        components.build("metric", node, f"evaluation.metrics.{name}")


def check_signal(config: Config, facts: Facts, group: str, slot: str) -> None:
    """Refuse a component for another kind of data, or for squares where samples are none.

    A component says in ``signals`` which kinds it knows (images, where it does not), and is for squares if it asks for
    their ``resolution``.

    Args:
        config: names the component.
        facts: of the data.
        group: the component's.
        slot: where it stands, as in ``gan/generator``.
    """
    key, signal, classes = slot.replace("/", "."), facts.signal, components.choices(group)
    name = value_at(config, f"{key}.name")
    others = [other for other, cls in classes.items() if signal.family in _signals(cls)]
    hint = f"set {slot}={' or '.join(others)}, {_or_begin(config)}"
    misfit = f"is for {_plural(_signals(classes[name]))}, and these data are {signal.plural}; {hint}"
    require(signal.family in _signals(classes[name]), f"{key}.name", name, misfit)
    of_any_size = " or ".join(other for other in others if not _of_squares(classes[other]))
    ways = f"set data.resize={min(facts.shape[1:])} (and data.crop=true), or {slot}={of_any_size}"
    fits = facts.square or not _of_squares(classes[name])
    require(fits, f"{key}.name", name, f"is for squares, and these data are {facts}; {ways}")


def _signals(cls: type) -> Collection[str]:
    return getattr(cls, "signals", (IMAGE,))


def _plural(families: Collection[str]) -> str:
    return " and ".join(named(family).plural for family in families)


def _of_squares(cls: type) -> bool:
    return "resolution" in components.facts_of(cls)


def _or_begin(config: Config) -> str:
    return f"or begin with experiment={config.data['name']}"


def build_generator(config: Config, facts: Facts) -> nn.Module:
    """The generator: z (N, latent_dim), labels (N,) or None → images, with fresh weights from torch's generator."""
    classes = conditioning_classes(config, facts)
    generator: nn.Module = components.build(
        "generator", config.gan.generator, "gan.generator", latent_dim=config.gan.latent_dim,
        **network_facts(facts.shape, classes),
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
