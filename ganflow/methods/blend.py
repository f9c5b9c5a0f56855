"""Interpolation of networks: a model between two (Wang et al., 2018, ESRGAN, section 3.4)."""

from dataclasses import asdict

import torch
from torch import Tensor

from ganflow.errors import require
from ganflow.methods.generator import Generator, GeneratorSpec


def blend(a: Generator, b: Generator, alpha: float) -> Generator:
    """``θ = (1 − α) θ_A + α θ_B``, of all weights and running statistics; counters are A's.

    Both have to be on one device. It says something only of networks that one began training with the other's weights:
    between any two, images get worse than those of either.

    Raises:
        ConfigError: α beyond 0 and 1, or models that differ in more than their weights.
    """
    require(0 <= alpha <= 1, "alpha", alpha, "0 (the first model) to 1 (the second)")
    check_alike(a.spec, b.spec)
    network, of_b = a.spec.build(), b.network.state_dict()
    network.load_state_dict({name: _between(of_a, of_b[name], alpha) for name, of_a in a.network.state_dict().items()})
    return Generator(network.to(a.device), a.spec)


def check_alike(a: GeneratorSpec, b: GeneratorSpec) -> None:
    """Refuse models of which the headers differ: another network, other images, or something else given.

    Raises:
        ConfigError: with the first difference.
    """
    of_a, of_b = _flat("", _plain(a)), _flat("", _plain(b))
    for key in {**of_a, **of_b}:
        value, other = of_a.get(key), of_b.get(key)
        allowed = f"the other model has {other}; only two of the same network, images and degradations can be blended"
        require(value == other, key, value, allowed)


def _plain(spec: GeneratorSpec) -> dict[str, object]:
    """The spec with its degradations as a list, whose order counts."""
    return asdict(spec) | {"given": list(spec.given), "options": dict(spec.given)}


def _flat(key: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        return {key: value}
    return {k: v for name, child in value.items() for k, v in _flat(f"{key}.{name}".lstrip("."), child).items()}


def _between(a: Tensor, b: Tensor, alpha: float) -> Tensor:
    return torch.lerp(a, b, alpha) if a.is_floating_point() else a
