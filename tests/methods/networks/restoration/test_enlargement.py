"""Enlargement beside Pillow's, and pixel shuffle beside its definition."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ganflow.methods.networks.restoration.enlargement import FACTORS, enlarged, shuffled


@pytest.mark.parametrize("factor", FACTORS)
def test_the_simple_enlargement_is_pillow_s(factor: int) -> None:
    given = torch.rand(2, 3, 7, 5) * 2 - 1
    size = (5 * factor, 7 * factor)
    theirs = [
        [np.asarray(Image.fromarray(channel.numpy()).resize(size, Image.Resampling.BICUBIC)) for channel in image]
        for image in given
    ]
    torch.testing.assert_close(enlarged(given, factor), torch.from_numpy(np.array(theirs)), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("factor", "steps"), [(1, []), (2, [2]), (3, [3]), (4, [2, 2]), (8, [2, 2, 2])])
def test_layers_enlarge_step_by_step(factor: int, steps: list[int]) -> None:
    layers = nn.Sequential(*shuffled(2, factor))
    assert [layer.upscale_factor for layer in layers if isinstance(layer, nn.PixelShuffle)] == steps
    assert layers(torch.randn(1, 2, 3, 5)).shape == (1, 2, 3 * factor, 5 * factor)


@pytest.mark.parametrize("factor", [2, 3])
def test_channels_become_the_pixels_of_a_larger_map(factor: int) -> None:
    """Shi et al., 2016, eq. 4: pixel (y, x) of channel c is that of channel ``c·r² + r·(y mod r) + x mod r``."""
    conv, shuffle = shuffled(2, factor)
    h = conv(torch.randn(1, 2, 3, 4))
    larger = shuffle(h)
    for c, y, x in np.ndindex(2, 3 * factor, 4 * factor):
        channel = c * factor**2 + factor * (y % factor) + x % factor
        assert larger[0, c, y, x] == h[0, channel, y // factor, x // factor]
