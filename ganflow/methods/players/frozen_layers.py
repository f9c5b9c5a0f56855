"""FreezeD (Mo, Cho & Shin, 2020): the first layers of a discriminator keep the weights that they start with."""

from collections.abc import Iterator

from torch import nn
from torch.nn.utils import parametrize

from ganflow.errors import require


def freeze_first(network: nn.Module, layers: int, key: str) -> None:
    """Let the first so many layers of a network not learn, with their biases and the normalisation after them.

    A layer is a module with a weight of more than one dimension, in the order in which the network holds them.

    Raises:
        ConfigError: the network has no more layers, with the key.
    """
    if not layers:
        return
    modules = list(_parameters_by_module(network))
    has = sum(any(parameter.dim() > 1 for parameter in parameters) for parameters in modules)
    require(layers < has, key, layers, f"must be less than {has}, the layers of this discriminator")
    begun = 0  # layers
    for parameters in modules:
        begun += any(parameter.dim() > 1 for parameter in parameters)
        if begun > layers:
            return
        for parameter in parameters:
            parameter.requires_grad = False


def _parameters_by_module(network: nn.Module) -> Iterator[list[nn.Parameter]]:
    """Those that each module has itself; of a weight that is computed, such as a normalised one, what it is made of."""
    for name, module in network.named_modules():
        if "parametrizations" in name.split("."):
            continue
        computed = module.parametrizations.parameters() if parametrize.is_parametrized(module) else ()
        yield [*module.parameters(recurse=False), *computed]
