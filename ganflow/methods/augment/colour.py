"""Affine transforms of colours about the grey axis (Karras et al., 2020, "Training GANs with limited data", B)."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ganflow.methods.augment.homogeneous import Matrices

Numbers = npt.NDArray[Any]
AROUND_GREY = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)  # v × x, with v = (1, 1, 1)/√3


def recolouring(
    brightness: Numbers, contrast: Numbers, flip: Numbers, hue: Numbers, saturation: Numbers, channels: int
) -> Matrices:
    """Brightness, contrast, luma flip, hue and saturation, in this order, as the product of matrices.

    Hue and saturation need red, green and blue: they are left out for any other number of channels.

    Shapes: all (N,); brightness is added, contrast and saturation are factors, flip 0 or 1, hue in radians. The
    matrices are (N, 5, 4, 4), the last transform's first, or (N, 3, channels + 1, channels + 1).
    """
    grey = np.full((channels, channels), 1 / channels)
    coloured = np.eye(channels) - grey
    brighter = np.tile(np.eye(channels + 1), (len(brightness), 1, 1))
    brighter[:, :channels, channels] = brightness[:, None]
    flipped, stronger = np.eye(channels) - 2 * _each(flip) * grey, np.eye(channels) * _each(contrast)
    matrices = [_homogeneous(flipped), _homogeneous(stronger), brighter]
    if channels == 3:
        turned = grey + np.cos(_each(hue)) * coloured + np.sin(_each(hue)) * AROUND_GREY  # Rodrigues
        matrices = [_homogeneous(grey + _each(saturation) * coloured), _homogeneous(turned), *matrices]
    return np.stack(matrices, axis=1)


def _each(values: Numbers) -> Numbers:
    return values[:, None, None]


def _homogeneous(linear: Matrices) -> Matrices:
    wide = np.pad(linear, ((0, 0), (0, 1), (0, 1)))
    wide[:, -1, -1] = 1
    return wide


def recolour(images: Tensor, matrix: Tensor) -> Tensor:
    """Images (N, C, H, W), the colours of which are transformed by (N, C + 1, C + 1)."""
    channels = images.shape[1]
    linear, offset = matrix[:, :channels, :channels, None, None], matrix[:, :channels, channels, None, None]
    return (linear * images[:, None]).sum(2) + offset
