import numpy as np
import pytest
import torch
from scipy.signal import convolve2d
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from ganflow.errors import ConfigError
from ganflow.evaluation import bootstrap
from ganflow.evaluation.metrics.features import UnmeasurableError
from ganflow.evaluation.metrics.restoration.base import luminance
from ganflow.evaluation.metrics.restoration.pairs import Pairs
from ganflow.evaluation.metrics.restoration.ssim import SSIM, similarity_per_image
from tests.evaluation.metrics.restoration.made import pairs, repeated


def reference(restored: Tensor, target: Tensor) -> Tensor:
    """Of each image, without the windows that reach beyond it, over pixels that torchmetrics reflects."""
    _, everywhere = structural_similarity_index_measure(
        restored.double(), target.double(), sigma=1.5, data_range=255.0, reduction="none", return_full_image=True
    )
    return everywhere[:, :, 5:-5, 5:-5].flatten(1).mean(1)


@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_torchmetrics_of_the_windows_within_each_image_and_the_mean(
    channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganflow.evaluation.metrics.restoration.base.BLOCK", 3000)
    images = pairs(channels=channels)
    values = similarity_per_image(images.restored, images.target)
    torch.testing.assert_close(values, reference(images.restored, images.target), rtol=0, atol=1e-9)
    figures = SSIM()(images)
    assert figures["ssim"] == pytest.approx(float(values.mean()), abs=1e-12)
    simple = float(reference(images.simple, images.target).mean())
    assert figures["ssim_simple"] == pytest.approx(simple, abs=1e-9)
    assert simple < figures["ssim"] < 1


def by_definition(x: np.ndarray, y: np.ndarray, window: int) -> float:
    """Eq. 13 of one channel, by two-dimensional convolutions."""
    offsets = np.arange(window) - window // 2
    kernel = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    mean_x, mean_y, xx, yy, xy = (
        convolve2d(z, kernel / kernel.sum(), mode="valid") for z in (x, y, x * x, y * y, x * y)
    )
    c1, c2 = 2.55**2, 7.65**2
    above = (2 * mean_x * mean_y + c1) * (2 * (xy - mean_x * mean_y) + c2)
    below = (mean_x**2 + mean_y**2 + c1) * (xx - mean_x**2 + yy - mean_y**2 + c2)
    return float((above / below).mean())


@pytest.mark.parametrize("window", [3, 7, 11])
def test_any_window_is_that_of_the_definition(window: int) -> None:
    images = pairs(3, channels=1)
    expected = [
        by_definition(x[0].double().numpy(), y[0].double().numpy(), window)
        for x, y in zip(images.restored, images.target, strict=True)
    ]
    values = similarity_per_image(images.restored, images.target, window=window)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-9)


def test_luma_and_border_are_those_of_the_images_made_so() -> None:
    images = pairs()
    inner = [luminance(x)[:, :, 2:22, 2:15] for x in (images.restored, images.target)]
    assert SSIM(luma=True, border=2)(images)["ssim"] == pytest.approx(float(reference(*inner).mean()), abs=1e-9)


def test_equal_images_are_alike() -> None:
    images = pairs()
    flat = torch.full_like(images.target, 7)
    for x in (images.target, flat):
        torch.testing.assert_close(similarity_per_image(x, x), torch.ones(7, dtype=torch.float64))


def test_a_resample_s_figure_is_that_of_the_images_repeated() -> None:
    images, counts = pairs(), bootstrap.counts(7, 5)
    expected = [SSIM()(repeated(images, row))["ssim"] for row in counts]
    assert len(set(expected)) == 5
    torch.testing.assert_close(SSIM().resampled(images, counts).tolist(), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("height", "width", "way_out"),
    [
        (8, 8, "set evaluation.metrics.ssim.window=7 or smaller"),
        (30, 9, "set evaluation.metrics.ssim.window=9 or smaller"),
        (2, 30, "no window is so small"),
    ],
)
def test_images_smaller_than_the_window_are_refused(height: int, width: int, way_out: str) -> None:
    images = torch.zeros(1, 1, height, width, dtype=torch.uint8)
    with pytest.raises(UnmeasurableError) as refused:
        SSIM()(Pairs(images, images, images))
    assert str(refused.value) == f"images of {height}x{width} are smaller than the window of 11; {way_out}"


def test_images_as_large_as_the_window_are_measured() -> None:
    images = torch.zeros(1, 1, 7, 7, dtype=torch.uint8)
    assert SSIM(window=7)(Pairs(images, images, images)) == {"ssim": 1, "ssim_simple": 1}


@pytest.mark.parametrize("window", [1, 8, -3])
def test_an_impossible_window_is_refused(window: int) -> None:
    with pytest.raises(ConfigError) as refused:
        SSIM(window=window)
    assert str(refused.value) == f"window={window}: must be odd, and at least 3"
