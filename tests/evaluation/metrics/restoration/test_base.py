import pytest
import torch

from ganflow.evaluation.metrics.restoration.base import luminance


@pytest.mark.parametrize(
    ("colour", "y"),
    [  # of MATLAB's documentation and the standard's table, before rounding
        ((255, 255, 255), 235.0),
        ((0, 0, 0), 16.0),
        ((255, 0, 0), 81.481),
        ((0, 255, 0), 144.553),
        ((0, 0, 255), 40.966),
        ((51, 102, 204), 16 + 65.481 * 0.2 + 128.553 * 0.4 + 24.966 * 0.8),
    ],
)
def test_luminance_is_that_of_the_standard(colour: tuple[int, int, int], y: float) -> None:
    images = torch.tensor(colour, dtype=torch.uint8)[None, :, None, None].expand(2, 3, 1, 2)
    brightness = luminance(images)
    assert brightness.shape == (2, 1, 1, 2)
    torch.testing.assert_close(brightness, torch.full((2, 1, 1, 2), y, dtype=torch.float64), rtol=0, atol=1e-9)


def test_grey_images_are_their_own_luminance() -> None:
    grey = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(luminance(grey), grey)
