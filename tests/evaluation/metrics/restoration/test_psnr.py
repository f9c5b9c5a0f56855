import pytest
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio

from ganflow.errors import ConfigError
from ganflow.evaluation import bootstrap
from ganflow.evaluation.metrics.features import UnmeasurableError
from ganflow.evaluation.metrics.restoration.pairs import Pairs
from ganflow.evaluation.metrics.restoration.psnr import PSNR, per_image
from tests.evaluation.metrics.restoration.made import pairs, repeated


def reference(restored: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Of each image; torchmetrics takes its logarithms in float32."""
    dims = tuple(range(1, target.ndim))
    return peak_signal_noise_ratio(restored.double(), target.double(), data_range=255.0, dim=dims, reduction="none")


@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_torchmetrics_of_each_image_and_the_mean(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganflow.evaluation.metrics.restoration.base.BLOCK", 3000)  # two or seven images at a time
    images = pairs(channels=channels)
    figures = PSNR()(images)
    torch.testing.assert_close(
        per_image(images.restored, images.target), reference(images.restored, images.target), rtol=1e-7, atol=0
    )
    assert figures["psnr"] == pytest.approx(float(reference(images.restored, images.target).mean()), rel=1e-7)
    assert figures["psnr_simple"] == pytest.approx(float(reference(images.simple, images.target).mean()), rel=1e-7)
    assert figures["psnr_simple"] < figures["psnr"] - 5


def test_the_border_is_shaved_at_each_side() -> None:
    images = pairs()
    inner = [x[:, :, 4:20, 4:13] for x in (images.restored, images.target)]
    assert PSNR(border=4)(images)["psnr"] == pytest.approx(float(reference(*inner).mean()), rel=1e-7)


def test_luma_is_the_error_of_y_alone() -> None:
    images = pairs()
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=torch.float64)
    luma = [16 + torch.einsum("nchw,c->nhw", x.double() / 255, weights) for x in (images.restored, images.target)]
    assert PSNR(luma=True)(images)["psnr"] == pytest.approx(float(reference(*luma).mean()), rel=1e-7)
    grey = pairs(channels=1)
    assert PSNR(luma=True)(grey) == PSNR()(grey)


def test_images_that_are_equal_count_the_cap() -> None:
    images = pairs(2)
    restored = torch.cat([images.target[:1], images.restored[1:]])
    values = per_image(restored, images.target)
    assert values[0] == 100
    assert values[1] < 50
    nearly = torch.zeros(1, 3, 400, 400, dtype=torch.uint8)
    off = nearly.clone()
    off[0, 0, 0, 0] = 1  # 48.1 + 56.8 dB
    assert per_image(off, nearly).tolist() == [100]


def test_a_resample_s_figure_is_that_of_the_images_repeated() -> None:
    images, counts = pairs(), bootstrap.counts(7, 20)
    expected = [PSNR()(repeated(images, row))["psnr"] for row in counts]
    assert len(set(expected)) > 10
    torch.testing.assert_close(PSNR().resampled(images, counts).tolist(), expected, rtol=1e-12, atol=0)


def test_a_border_that_leaves_nothing_is_refused() -> None:
    eight = torch.zeros(1, 1, 8, 12, dtype=torch.uint8)
    with pytest.raises(UnmeasurableError) as refused:
        PSNR(border=4)(Pairs(eight, eight, eight))
    line = "nothing of 8x12 pixels remains within the border; lower evaluation.metrics.psnr.border=4"
    assert str(refused.value) == line
    assert PSNR(border=3)(Pairs(eight, eight, eight))["psnr"] == 100


def test_a_negative_border_is_refused() -> None:
    with pytest.raises(ConfigError) as refused:
        PSNR(border=-1)
    assert str(refused.value) == "border=-1: must be at least 0"
