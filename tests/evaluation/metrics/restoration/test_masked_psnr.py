import pytest
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio

from ganflow.evaluation import bootstrap
from ganflow.evaluation.metrics.features import UnmeasurableError
from ganflow.evaluation.metrics.restoration.masked_psnr import MaskedPSNR, hidden_per_image
from ganflow.evaluation.metrics.restoration.pairs import Pairs
from tests.evaluation.metrics.restoration.made import pairs, repeated


@pytest.fixture
def images() -> Pairs:
    """Seven images, of which the third has no hidden pixels."""
    hidden = torch.rand(7, 1, 24, 17, generator=torch.Generator().manual_seed(0)) < 0.3
    hidden[2] = False
    return pairs(hidden=hidden)


def reference(restored: torch.Tensor, images: Pairs) -> list[float]:
    assert images.hidden is not None
    rows = zip(restored.double(), images.target.double(), images.hidden, strict=True)
    return [
        float(peak_signal_noise_ratio(x[:, mask[0]], y[:, mask[0]], 255.0, reduction="none", dim=(0, 1)))
        for x, y, mask in rows
        if mask.any()
    ]


def test_it_is_torchmetrics_of_the_hidden_pixels_of_images_that_have_some(images: Pairs) -> None:
    assert images.hidden is not None
    values = hidden_per_image(images.restored, images.target, images.hidden)
    assert values.isnan().tolist() == [False, False, True, False, False, False, False]
    expected = reference(images.restored, images)
    assert values[~values.isnan()].tolist() == pytest.approx(expected, rel=1e-7)
    figures = MaskedPSNR()(images)
    assert figures["masked_psnr"] == pytest.approx(sum(expected) / 6, rel=1e-7)
    assert figures["masked_psnr_simple"] == pytest.approx(sum(reference(images.simple, images)) / 6, rel=1e-7)


def test_given_pixels_do_not_count(images: Pairs) -> None:
    assert images.hidden is not None
    other = torch.where(images.hidden, images.restored, 255 - images.restored)
    assert MaskedPSNR()(Pairs(other, images.target, images.simple, images.hidden)) == MaskedPSNR()(images)


def test_a_resample_s_figure_is_that_of_the_images_repeated(images: Pairs) -> None:
    counts = torch.cat([bootstrap.counts(7, 10), torch.tensor([[0.0, 0, 7, 0, 0, 0, 0]])])  # the last has no pixel
    expected = [MaskedPSNR()(repeated(images, row))["masked_psnr"] for row in counts[:-1]]
    assert len(set(expected)) == 10
    torch.testing.assert_close(MaskedPSNR().resampled(images, counts).tolist(), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("hidden", [None, torch.zeros(7, 1, 24, 17, dtype=torch.bool)])
def test_nothing_is_said_where_no_pixels_are_hidden(hidden: torch.Tensor | None) -> None:
    with pytest.raises(UnmeasurableError) as refused:
        MaskedPSNR()(pairs(hidden=hidden))
    assert str(refused.value) == "no pixels are hidden"
