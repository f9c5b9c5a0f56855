"""The features of a discriminator: what its last layer takes of an image."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from ganflow.methods.networks.base import Discriminator


@contextmanager
def kept_features(D: nn.Module) -> Iterator[list[Tensor]]:
    """Yield a list to which every forward in the block adds the input of each last layer, in the order of calls.

    Args:
        D: a discriminator, or a module such as DDP that wraps one.

    Raises:
        TypeError: it is not a :class:`Discriminator`.
    """
    network = next((module for module in D.modules() if isinstance(module, Discriminator)), None)
    if network is None:
        raise TypeError(f"{type(D).__name__} is not a Discriminator, whose heads are known")
    features: list[Tensor] = []
    hooks = [head.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0])) for head in network.heads]
    try:
        yield features
    finally:
        for hook in hooks:
            hook.remove()


def features(D: nn.Module, images: Tensor, labels: Tensor | None, *rest: Tensor) -> tuple[Tensor, list[Tensor]]:
    """D's output of images, and the features in it: a tensor (N, F), a map (N, F, H, W), or those of several scales.

    ``rest`` is what D takes beside images and labels. Gradients pass through both.
    """
    with kept_features(D) as of_heads:
        output: Tensor = D(images, labels, *rest)
    return output, of_heads
