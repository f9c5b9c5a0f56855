import numpy as np
import pytest
import torch
from scipy.ndimage import convolve1d
from torch import Tensor

from ganflow.methods.augment.octaves import equalise
from ganflow.methods.augment.wavelets import octaves


def images(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def loudness(count: int) -> Tensor:
    return torch.from_numpy(2 ** np.random.default_rng(1).normal(size=(count, 4)))


def by_hand(image: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """One octave after the other, each brought back to the expected power, then both filters by SciPy."""
    gains = np.ones(4)
    for k in range(4):
        one = np.ones(4)
        one[k] = factors[k]
        gains *= one / np.sqrt((np.array([10, 1, 1, 1]) / 13 * one**2).sum())
    taps = gains @ octaves(4)
    return convolve1d(convolve1d(image, taps, axis=1, mode="mirror"), taps, axis=2, mode="mirror")


@pytest.mark.parametrize(("height", "width"), [(4, 4), (32, 32), (7, 48)])
def test_it_is_scipy_s_convolution_of_mirrored_images(height: int, width: int) -> None:
    x, factors = images(5, 3, height, width), loudness(5)
    expected = [by_hand(image, row) for image, row in zip(x.numpy(), factors.numpy(), strict=True)]
    np.testing.assert_allclose(equalise(x, factors).numpy(), np.stack(expected), rtol=0, atol=1e-11)


def test_factors_of_one_keep_every_bit_of_their_image_alone() -> None:
    x, factors = images(3, 1, 8, 8).float(), torch.ones(3, 4)
    factors[1, 2] = 2
    seen = equalise(x, factors)
    assert torch.equal(seen[[0, 2]], x[[0, 2]])
    assert not torch.allclose(seen[1], x[1])


def test_gradients_are_those_of_finite_differences_twice() -> None:
    x, factors = images(2, 1, 4, 4).requires_grad_(), loudness(2)
    assert torch.autograd.gradcheck(lambda x: equalise(x, factors).pow(3), (x,))
    assert torch.autograd.gradgradcheck(lambda x: equalise(x, factors).pow(3), (x,))
