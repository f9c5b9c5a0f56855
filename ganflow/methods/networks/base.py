"""The base of every discriminator: what callers read of one beside calling it."""

from torch import nn

from ganflow.methods.networks.layers.conditioning import Head, MapHead


class Discriminator(nn.Module):
    """A component of the group ``discriminator``.

    Attributes:
        sees_given: whether it is called with what G was given, (images, labels, given), and not with images and labels.
    """

    sees_given: bool = False

    @property
    def heads(self) -> list[nn.Module]:
        """The last layers, each of which takes features once in a forward: one, or one of every scale."""
        return [module for module in self.modules() if isinstance(module, Head | MapHead)]
