import numpy as np
import pytest
from PIL import Image

from ganflow.errors import ConfigError
from ganflow.methods.degradations.grey import Grey
from tests.methods.degradations.pixels import draws, images, levels, photo


def test_it_is_pillow_s_luma_but_for_the_rounding() -> None:
    pixels = photo()
    expected = np.asarray(Image.fromarray(pixels).convert("L"))
    luma = levels(Grey()(images(pixels), draws()))
    assert luma.shape == (*expected.shape, 1)
    assert np.abs(luma[..., 0] - expected).max() < 0.501


def test_the_simple_method_is_three_times_the_channel() -> None:
    given = images(photo()[:, :, :1])
    coloured = Grey().simple(given)
    assert coloured.shape == (1, 3, *given.shape[2:])
    assert (coloured == given).all()


def test_only_colours_become_grey() -> None:
    assert Grey().shape((3, 8, 9)) == (1, 8, 9)
    with pytest.raises(ConfigError, match=r"^name=grey: takes images in RGB, and these have 1 channel"):
        Grey().shape((1, 8, 9))
