"""FreezeD (Mo, Cho & Shin, 2020): the first layers of a discriminator keep the weights that they start with."""

from torch import nn

from ganflow.errors import require


def freeze_first(network: nn.Module, layers: int, key: str) -> None:
    """Let the first so many layers of a network not learn, with the normalisation and the biases among them.

    A layer is a weight with more than one dimension, in the order in which the network holds them.

    Raises:
        ConfigError: the network has no more layers, with the key.
    """
    has = sum(parameter.dim() > 1 for parameter in network.parameters())
    require(layers < has, key, layers, f"must be less than {has}, the layers of this discriminator")
    begun = 0  # layers
    for parameter in network.parameters():
        begun += parameter.dim() > 1
        if begun > layers:
            return
        parameter.requires_grad = False
