"""From a configuration and the data's facts to a method, for any method; and the parts that methods share."""

from collections.abc import Collection, Iterator, Mapping
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
from ganflow.methods.base import BuiltMethod, Kept, MethodBuilder
from ganflow.methods.degradations.chain import DegradationChain
from ganflow.methods.networks.facts import network_facts
from ganflow.signals import named
from ganflow.signals.base import IMAGE, Shape


def build_method(config: Config, facts: Facts, device: torch.device) -> BuiltMethod:
    """The method that the configuration names, with its players.

    Raises:
        ConfigError: as :meth:`MethodBuilder.build`.
    """
    return _builder(config.method).build(config, facts, device)


def _builder(name: str) -> MethodBuilder:
    return cast(MethodBuilder, components.choices("method")[name]())


def _check_detection(config: Config, facts: Facts) -> None:
    """Refuse distances of codes where the network that is kept has none."""
    if facts.normal and config.detection.latent:
        name = kept(config, facts).network["name"]
        allowed = f"0: {name} has no codes; set gan/generator=autoencoder, or method=f_anogan, ganomaly or vae"
        require(name == "autoencoder", "detection.latent", config.detection.latent, allowed)


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
    _check_detection(config, facts)
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
    works = {other: cls for other, cls in classes.items() if config.given or not _restores(group, cls)}
    others = [other for other, cls in works.items() if signal.family in _signals(cls)]
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


def _restores(group: str, cls: type) -> bool:
    return group == "generator" and "given" in components.facts_of(cls)


def _or_begin(config: Config) -> str:
    return f"or begin with experiment={config.data['name']}"


def build_generator(config: Config, facts: Facts) -> nn.Module:
    """The generator: z (N, latent_dim), labels (N,) or None → images, with fresh weights from torch's generator.

    Where something is given of an image, that comes third.
    """
    classes, given = conditioning_classes(config, facts), given_shape(config, facts)
    _check_takes_given(config, given)
    noise = given is not None or config.gan.latent_dim > 0
    require(noise, "gan.latent_dim", config.gan.latent_dim, "must be at least 1, or set given=[noise] or another")
    generator: nn.Module = components.build(
        "generator", config.gan.generator, "gan.generator", latent_dim=config.gan.latent_dim,
        **network_facts(facts.shape, classes, given),
    )  # fmt: skip
    return generator


def kept(config: Config, facts: Facts) -> Kept:
    """The network that leaves training, without its weights."""
    return _builder(config.method).kept(config, facts)


def kept_code(config: Config, facts: Facts, encoder: Mapping[str, Any], second: bool = False) -> Kept:
    """An encoder with the configuration's generator, which is its decoder, and perhaps a second one of its kind."""
    options = {"code": config.gan.latent_dim, "encoder": dict(encoder), "decoder": dict(config.gan.generator)}
    options |= {"second": True} if second else {}
    return Kept({"name": "autoencoder", **options}, 0, facts.shape)


def degradations(config: Config, facts: Facts) -> DegradationChain | None:
    """The configuration's degradations of these data; None where nothing is given.

    A generator that takes an image is given the image itself, on data for detection: it is to make it again.

    Raises:
        ConfigError: data that cannot be degraded so.
    """
    if not config.given and not (facts.normal and takes_given(config)):
        return None
    require(facts.signal.family == IMAGE, "given", ", ".join(config.given), f"is for images, and these are {facts}")
    return DegradationChain(config.given, facts.shape)


def given_shape(config: Config, facts: Facts) -> Shape | None:
    """The shape of what G makes an image from; None where it makes them of noise alone.

    Raises:
        ConfigError: data that cannot be degraded so, or pairs that are to be degraded.
    """
    allowed = "nothing: these data are pairs, and say what is given of an image"
    require(facts.given is None or not config.given, "given", ", ".join(config.given), allowed)
    if facts.given is not None:
        return facts.given
    chain = degradations(config, facts)
    return None if chain is None else chain.shape


def takes_given(config: Config) -> bool:
    """True where the configuration's generator makes an image of what it is given."""
    return config.gan.generator["name"] in _takers()


def _takers() -> list[str]:
    classes = components.choices("generator")
    return [other for other, cls in classes.items() if "given" in components.facts_of(cls)]


def _check_takes_given(config: Config, given: Shape | None) -> None:
    """Refuse a generator that would not look at what it is given."""
    takers, name = _takers(), config.gan.generator["name"]
    what = f"given={list(config.given)}" if config.given else "these data are pairs"
    hint = f"makes images of noise alone, and {what}; set gan/generator={' or '.join(takers)}"
    require(given is None or name in takers, "gan.generator.name", name, hint)


def conditioning_classes(config: Config, facts: Facts) -> int:
    """The number of classes that networks are told of: 0 when they are unconditional."""
    if config.gan.conditioning == "none":
        return 0
    key, value = "gan.conditioning", config.gan.conditioning
    has = "a single class" if facts.num_classes else "no labels"
    require(facts.num_classes > 1, key, value, f"the data set has {has}; set gan.conditioning=none")
    return facts.num_classes
