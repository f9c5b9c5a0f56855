import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.fft import dct, dctn, idct, idctn

from ganflow.methods.degradations import dct_denoising
from ganflow.methods.degradations.dct_denoising import denoised

SIGMA = 0.2


def by_hand(image: npt.NDArray[np.float64], side: int) -> npt.NDArray[np.float64]:
    """Yu & Sapiro's algorithm 1, patch after patch, for an image (C, H, W)."""
    colours = dct(image, axis=0, norm="ortho")
    total, patches = np.zeros_like(colours), np.zeros_like(colours)
    for c, y, x in np.ndindex(len(image), image.shape[1] - side + 1, image.shape[2] - side + 1):
        place = c, slice(y, y + side), slice(x, x + side)
        spectrum = dctn(colours[place], norm="ortho")
        mean = spectrum[0, 0]
        spectrum[np.abs(spectrum) < 3 * SIGMA] = 0
        spectrum[0, 0] = mean
        total[place] += idctn(spectrum, norm="ortho")
        patches[place] += 1
    restored: npt.NDArray[np.float64] = idct(total / patches, axis=0, norm="ortho")
    return restored.clip(-1, 1)


@pytest.mark.parametrize(
    ("shape", "side"),
    [
        ((3, 8, 8), 8),
        ((3, 11, 14), 8),
        ((1, 12, 9), 8),
        ((3, 7, 20), 4),
        ((1, 4, 5), 4),
        ((2, 3, 3), 2),
        ((3, 1, 4), 1),
    ],
)
def test_it_is_the_paper_s_algorithm(shape: tuple[int, ...], side: int) -> None:
    rng = np.random.default_rng(0)
    step = np.where(np.arange(shape[-1]) < shape[-1] // 2, -0.5, 0.6)
    noisy = (step + rng.normal(0, SIGMA, (2, *shape))).astype(np.float32)
    expected = np.stack([by_hand(image.astype(np.float64), side) for image in noisy])
    np.testing.assert_allclose(denoised(torch.from_numpy(noisy), SIGMA).numpy(), expected, rtol=0, atol=1e-5)


def test_so_much_memory_as_it_may_take_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = torch.randn(5, 3, 16, 17, generator=torch.Generator().manual_seed(0)) * SIGMA
    at_once = denoised(noisy, SIGMA)
    monkeypatch.setattr(dct_denoising, "AT_ONCE", 1)
    assert torch.allclose(denoised(noisy, SIGMA), at_once, atol=1e-6)


def test_what_has_no_noise_stays_but_for_faint_detail() -> None:
    steps = torch.ones(1, 3, 16, 16)
    steps[..., :8] = -1
    assert torch.allclose(denoised(steps, 1e-4), steps, atol=1e-3)
