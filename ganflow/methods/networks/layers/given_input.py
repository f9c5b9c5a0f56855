"""The image that G was given, on its way into a discriminator (Isola et al., 2017, eq. 1)."""

import torch
from torch import Tensor

from ganflow.errors import require
from ganflow.signals.base import Shape


def channels_seen(sees_given: bool, shape: Shape, given: Shape | None) -> int:
    """The number of channels that a discriminator sees: the image's, and before them those of what G was given.

    Raises:
        ConfigError: it is to see what G was given, and nothing is given or something of another size.
    """
    if not sees_given:
        return shape[0]
    require(given is not None, "sees_given", True, "nothing is given; set given=[noise] or another, or this to false")
    assert given is not None
    misfit = f"{given[2]}×{given[1]} is given for images of {shape[2]}×{shape[1]}; set it to false"
    require(given[1:] == shape[1:], "sees_given", True, misfit)
    return given[0] + shape[0]


def with_given(images: Tensor, given: Tensor | None) -> Tensor:
    """Images (N, C, H, W) behind what G was given of them, (N, C', H, W): (N, C' + C, H, W); alone without that."""
    return images if given is None else torch.cat([given, images], dim=1)
