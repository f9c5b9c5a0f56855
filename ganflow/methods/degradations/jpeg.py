"""The loss of JPEG (ITU-T T.81, 1992), the field's test of artefact removal (Dong et al., 2015, ARCNN)."""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

from ganflow.config.components import component
from ganflow.distributed.rng import RandomStream
from ganflow.errors import require
from ganflow.methods.degradations.base import Degradation
from ganflow.methods.degradations.dct import cosines
from ganflow.methods.degradations.grey import LUMA
from ganflow.methods.degradations.levels import to_images, to_levels, whole
from ganflow.methods.degradations.matrix_along import along
from ganflow.signals.base import Shape

SIDE = 8  # of a block
MIDDLE = 128  # the level that stands for 0
DOWNWARD = 2.0**-16  # by which libjpeg has Cb and Cr rounded downward from a half, which every saturated colour has
YCBCR = (LUMA, (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))  # of RGB (JFIF 1.02)
RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136286, -0.714136286), (1.0, 1.772, 0.0))  # of YCbCr

# T.81, tables K.1 and K.2: the steps of brightness and of colour, by frequency down and across.
BRIGHTNESS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
COLOUR = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *[(99,) * 8] * 4,
)


@component("degradation", "jpeg")
class JPEG(Degradation):
    """JPEG at a ``quality`` of 1 to 100, as libjpeg counts it, with all of the colours' pixels (4:4:4).

    Only what is lossy is done: whole levels, YCbCr, the transform of blocks of 8x8, its quantisation, and back.
    """

    def __init__(self, quality: int = 30) -> None:
        require(1 <= quality <= 100, "quality", quality, "from 1 to 100")
        self.quality = quality

    def shape(self, shape: Shape) -> Shape:
        require(shape[0] in (1, 3), "name", "jpeg", f"takes images in grey or RGB, and these have {shape[0]} channels")
        return shape

    def __call__(self, images: Tensor, draw: RandomStream) -> Tensor:
        levels = whole(to_levels(images))
        if images.shape[1] == 1:
            return to_images(self._blocks_lost(levels))
        to_ycbcr, to_rgb, middle = _colours(images.device)
        ycbcr = whole(along(1, to_ycbcr, levels) + middle * (1 - DOWNWARD))
        return to_images(whole(along(1, to_rgb, self._blocks_lost(ycbcr) - middle)))

    def simple(self, given: Tensor) -> Tensor:
        return given

    def _blocks_lost(self, planes: Tensor) -> Tensor:
        """Planes (N, C, H, W) in whole levels, their blocks quantised."""
        height, width = planes.shape[-2:]
        padded = F.pad(planes - MIDDLE, (0, -width % SIDE, 0, -height % SIDE), mode="replicate")
        blocks = padded.unflatten(3, (-1, SIDE)).unflatten(2, (-1, SIDE))  # (N, C, H/8, 8, W/8, 8)
        waves, steps = cosines(SIDE, planes.device), _steps(self.quality, planes.shape[1], planes.device)
        spectrum = along(5, waves, along(3, waves, blocks))
        restored = along(5, waves.T, along(3, waves.T, _quantised(spectrum, steps)))
        return whole(restored.flatten(4, 5).flatten(2, 3)[:, :, :height, :width] + MIDDLE)


def _quantised(spectrum: Tensor, steps: Tensor) -> Tensor:
    """The nearest multiples of the steps, halves away from 0.

    libjpeg's transform ends in whole eighths. So does this one, lest its last bits decide between two multiples.
    """
    eighths = (spectrum * SIDE).round() / SIDE
    return (eighths.abs() / steps + 0.5).floor() * steps * eighths.sign()


@functools.cache
def _steps(quality: int, channels: int, device: torch.device) -> Tensor:
    """The tables by the Independent JPEG Group's rule for ``quality``: (C, 1, 8, 1, 8)."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    tables = torch.tensor([BRIGHTNESS, COLOUR, COLOUR][:channels], device=device)
    return ((tables * percent + 50) // 100).clamp(1, 255).float()[:, None, :, None, :]


@functools.cache
def _colours(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """From RGB to YCbCr, and back; and the levels that stand for 0 there (3, 1, 1)."""
    middle = torch.tensor([0.0, MIDDLE, MIDDLE], device=device)[:, None, None]
    return torch.tensor(YCBCR, device=device), torch.tensor(RGB, device=device), middle
