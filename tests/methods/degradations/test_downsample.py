import numpy as np
import pytest
import torch
from PIL import Image

from ganflow.errors import ConfigError
from ganflow.methods.degradations.downsample import Downsample
from tests.methods.degradations.pixels import draws, images, levels, photo, speckle

Filter = Image.Resampling
FILTERS = {"bicubic": Filter.BICUBIC, "bilinear": Filter.BILINEAR, "box": Filter.BOX}


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_it_is_pillow_s(name: str, factor: int) -> None:
    for pixels in (photo(96, 120), speckle(), speckle()[:, :, :1]):
        height, width = (side // factor for side in pixels.shape[:2])
        pixels = pixels[: height * factor, : width * factor]
        expected = np.asarray(Image.fromarray(pixels.squeeze()).resize((width, height), FILTERS[name]))
        off = np.abs(levels(Downsample(factor, name)(images(pixels), draws())) - expected.reshape(height, width, -1))
        assert off.max() < 1.001
        assert (off > 0.001).mean() < 0.03


def test_it_holds_whole_levels_whatever_it_was_given() -> None:
    loud = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    held = (Downsample()(loud, draws(2)).double() + 1) * 127.5
    assert torch.allclose(held, held.round(), atol=1e-4)
    assert held.min() >= -1e-4
    assert held.max() <= 255.0001


@pytest.mark.parametrize("factor", [2, 3])
def test_the_simple_method_is_pillow_s_bicubic_enlargement(factor: int) -> None:
    pixels = photo(32, 40)
    planes = [Image.fromarray(plane.astype(np.float32)) for plane in pixels.transpose(2, 0, 1)]  # never clipped
    large = [np.asarray(plane.resize((40 * factor, 32 * factor), Filter.BICUBIC)) for plane in planes]
    enlarged = levels(Downsample(factor).simple(images(pixels)))
    np.testing.assert_allclose(enlarged, np.stack(large, -1).clip(0, 255), rtol=0, atol=1e-3)


def test_sides_are_multiples_of_the_factor() -> None:
    assert Downsample(4).shape((3, 32, 64)) == (3, 8, 16)
    with pytest.raises(ConfigError, match=r"^factor=4: must divide both sides of the images, which are 64x30$"):
        Downsample(4).shape((3, 30, 64))


@pytest.mark.parametrize("options", [{"factor": 1}, {"filter": "lanczos"}])
def test_what_cannot_be_meant_is_refused(options: dict[str, int | str]) -> None:
    with pytest.raises(
        ConfigError, match=r"^(factor=1: must be at least 2|filter=lanczos: one of bicubic, bilinear, box)$"
    ):
        Downsample(**options)  # type: ignore[arg-type]
