import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from ganflow.errors import ConfigError
from ganflow.methods.degradations.blur import Blur
from tests.methods.degradations.pixels import draws, images, levels, photo, speckle


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.5, 3.7])
def test_it_is_scipy_s_blur_of_mirrored_images(sigma: float) -> None:
    for pixels in (photo(), speckle(33, 20), photo()[:, :, :1]):
        expected = gaussian_filter(pixels.astype(np.float64), (sigma, sigma, 0), mode="mirror")
        blurred = levels(Blur(sigma)(images(pixels), draws()))
        np.testing.assert_allclose(blurred, expected, rtol=0, atol=1e-4)


def test_the_simple_method_leaves_it() -> None:
    given = images(photo())
    assert Blur().simple(given) is given


def test_images_that_cannot_be_mirrored_so_far_are_refused_in_a_line() -> None:
    assert Blur(1.5).shape((3, 7, 40)) == (3, 7, 40)
    expected = r"^sigma=1.5: asks for sides of at least 7 pixels, and images are 40x6; give a smaller sigma$"
    with pytest.raises(ConfigError, match=expected):
        Blur(1.5).shape((3, 6, 40))


@pytest.mark.parametrize("sigma", [0.0, -1.0, 1001.0])
def test_a_deviation_is_more_than_0(sigma: float) -> None:
    with pytest.raises(ConfigError, match=r"^sigma="):
        Blur(sigma)
