import io

import numpy as np
import pytest
import torch
from PIL import Image

from ganflow.errors import ConfigError
from ganflow.methods.degradations.jpeg import JPEG
from tests.methods.degradations.pixels import Pixels, draws, images, levels, photo, psnr, speckle


def pillow(pixels: Pixels, quality: int) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(file, "JPEG", quality=quality, subsampling=0)
    return np.asarray(Image.open(file)).reshape(pixels.shape)


@pytest.mark.parametrize("quality", [1, 5, 30, 49, 50, 75, 95])
@pytest.mark.parametrize("channels", [1, 3])
def test_it_loses_what_libjpeg_does(quality: int, channels: int) -> None:
    for pixels in (
        photo()[:, :, :channels],
        photo(name="flower.jpg")[:90, :123, :channels],
        speckle(channels=channels),
    ):
        expected, lost = pillow(pixels, quality), levels(JPEG(quality)(images(pixels), draws()))
        assert np.abs(lost - expected).mean() < 0.3
        assert psnr(lost, pixels) == pytest.approx(psnr(expected.astype(float), pixels), abs=0.05)


def test_the_best_quality_loses_little() -> None:
    pixels = photo()
    assert psnr(levels(JPEG(100)(images(pixels), draws())), pixels) > 50


def test_it_takes_levels_that_a_file_cannot_hold() -> None:
    loud = torch.randn(2, 3, 9, 17, generator=torch.Generator().manual_seed(0))
    as_held = (((loud + 1) * 127.5).round().clamp(0, 255)).byte()
    assert torch.equal(JPEG()(loud, draws(2)), JPEG()(images(*as_held.permute(0, 2, 3, 1).numpy()), draws(2)))


def test_the_simple_method_leaves_it() -> None:
    given = images(photo())
    assert JPEG().simple(given) is given


@pytest.mark.parametrize("quality", [0, 101])
def test_a_quality_is_from_1_to_100(quality: int) -> None:
    with pytest.raises(ConfigError, match=f"^quality={quality}: from 1 to 100$"):
        JPEG(quality)


def test_two_channels_are_not_a_picture() -> None:
    assert JPEG().shape((1, 5, 9)) == (1, 5, 9)
    with pytest.raises(ConfigError, match=r"^name=jpeg: takes images in grey or RGB, and these have 2 channels$"):
        JPEG().shape((2, 8, 8))
