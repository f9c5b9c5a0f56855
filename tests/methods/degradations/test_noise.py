import pytest
import torch
from scipy import stats

from ganflow.errors import ConfigError
from ganflow.methods.degradations.noise import Noise
from tests.methods.degradations.pixels import draws, images, levels, photo, psnr


def test_it_is_white_gaussian_and_not_clipped() -> None:
    black = -torch.ones(8, 3, 16, 16)
    off = (Noise(25.0)(black, draws(8)) - black).flatten() * 127.5
    assert stats.kstest(off.numpy(), stats.norm(scale=25).cdf).pvalue > 0.01
    assert off.min() < -75


@pytest.mark.parametrize(("name", "least"), [("china.jpg", 28.0), ("flower.jpg", 26.3)])
def test_the_simple_method_takes_most_of_it_away(name: str, least: float) -> None:
    pixels, noise = photo(name=name), Noise(25.0)
    given = noise(images(pixels), draws())
    assert psnr(levels(given), pixels) == pytest.approx(20.17, abs=0.1)
    assert psnr(levels(noise.simple(given)), pixels) > least


@pytest.mark.parametrize("sigma", [0.0, -1.0, 256.0])
def test_a_deviation_is_in_levels(sigma: float) -> None:
    with pytest.raises(ConfigError, match=r"^sigma="):
        Noise(sigma)
