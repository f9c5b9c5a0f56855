import math

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from scipy.signal import upfirdn
from torch import Tensor

from ganflow.methods.augment.affine import blit, deform, moves, warp
from ganflow.methods.augment.homogeneous import product
from ganflow.methods.augment.resample import resample
from ganflow.methods.augment.wavelets import SYM6
from tests.support.ranks import on_ranks

KERNEL = np.outer(SYM6, SYM6)


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def by_hand(image: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Enlarge the reflected image, see it through the map, reduce it: SciPy's own parts, for (C, H, W)."""
    height, width = image.shape[1:]
    margin = 3 * max(height, width)
    seen = []
    for channel in image:
        wide = np.pad(channel, margin, mode="reflect")
        large = upfirdn(SYM6, upfirdn(SYM6, wide, up=2, axis=0), up=2, axis=1) * 2
        rows, columns = np.mgrid[-5 : 2 * height + 5, -5 : 2 * width + 5] / 2
        place = np.stack([columns.ravel() - (width - 1) / 2, rows.ravel() - (height - 1) / 2])
        x, y = inverse[:2, :2] @ place + inverse[:2, 2:] + np.array([[(width - 1) / 2], [(height - 1) / 2]])
        at = [2 * (y + margin) + 5, 2 * (x + margin) + 5]  # the filter's delay of five taps
        through = map_coordinates(large, at, order=1).reshape(rows.shape)
        back = upfirdn(SYM6[::-1], upfirdn(SYM6[::-1], through, axis=0), axis=1) / 2
        seen.append(back[11 : 11 + 2 * height : 2, 11 : 11 + 2 * width : 2])
    return np.stack(seen)


def maps(count: int, side: int) -> Tensor:
    draws = np.random.default_rng(0)
    rows = [(2 ** draws.normal(0, 0.3), draws.uniform(-3, 3), 2 ** draws.normal(0, 0.3), draws.uniform(-3, 3),
             *draws.normal(0, side / 8, 2)) for _ in range(count)]  # fmt: skip
    table = np.array(rows)
    return product(torch.from_numpy(deform(*table[:, :4].T, table[:, 4:])))


@pytest.mark.parametrize("side", [4, 9, 32])
def test_it_is_scipy_s_enlarging_interpolation_and_reducing(side: int) -> None:
    x, inverse = images(6, 2, side, side), maps(6, side)
    expected = [by_hand(x[k].numpy(), inverse[k].numpy()) for k in range(6)]
    np.testing.assert_allclose(resample(x, inverse).numpy(), np.stack(expected), rtol=0, atol=1e-9)


def test_images_that_are_not_square_are_seen_as_square_ones() -> None:
    x, inverse = images(4, 1, 6, 11), maps(4, 8)
    expected = [by_hand(x[k].numpy(), inverse[k].numpy()) for k in range(4)]
    np.testing.assert_allclose(resample(x, inverse).numpy(), np.stack(expected), rtol=0, atol=1e-9)


@pytest.mark.parametrize("side", [4, 9, 33])
def test_images_that_are_not_moved_keep_every_bit_and_others_their_detail(side: int) -> None:
    x, zero, one = images(3, 3, side, side).float(), np.zeros(3), np.ones(3)
    still = np.zeros((3, 2))
    maps = [blit(zero, zero, still), deform(one, np.array([0, 1e-7, 0]), one, zero, still)]
    map = product(torch.from_numpy(np.concatenate(maps, axis=1)).float())
    assert moves(map).tolist() == [False, True, False]
    seen = resample(x, map)
    assert torch.equal(seen[[0, 2]], x[[0, 2]])
    torch.testing.assert_close(seen[1], x[1], rtol=0, atol=2e-5)  # the filter and its reverse are inverse


def natural(count: int, side: int) -> Tensor:
    """Noise whose power falls with the square of the frequency, as photographs' does."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    spectrum = np.fft.fft2(np.random.default_rng(0).normal(size=(count, 1, side, side)))
    return torch.from_numpy(np.fft.ifft2(spectrum / np.maximum(frequency, 1 / side)).real)


def fine_detail(x: Tensor) -> float:
    """Power above a quarter of a cycle per pixel."""
    side = x.shape[-1]
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    return float((np.abs(np.fft.fft2(x.numpy())) ** 2 * (frequency > 0.25)).sum())


def test_fine_detail_survives_a_move_by_half_a_pixel_and_a_turn() -> None:
    x = natural(64, 32)
    one, zero, still = np.ones(64), np.zeros(64), np.zeros((64, 2))
    for maps in (deform(one, zero, one, zero, still + 0.5), deform(one, zero + math.radians(10), one, zero, still)):
        map = product(torch.from_numpy(maps))
        kept, bilinear = (fine_detail(see(x, map)) / fine_detail(x) for see in (resample, warp))
        assert 1.4 * bilinear < kept < 1


def test_gradients_of_a_function_of_what_is_seen_are_those_of_finite_differences_twice() -> None:
    x, inverse = images(2, 1, 4, 4).requires_grad_(), maps(2, 4)

    def bent(x: Tensor) -> Tensor:
        return resample(x, inverse).pow(3)

    assert torch.autograd.gradcheck(bent, (x,))
    assert torch.autograd.gradgradcheck(bent, (x,))


def part(first: int, last: int) -> Tensor:
    return resample(images(6, 2, 8, 8)[first:last], maps(6, 8)[first:last])


def on_this_rank() -> Tensor:
    from ganflow.distributed import collectives

    share = collectives.share(6)
    return part(share.start, share.stop)


def test_two_ranks_see_what_one_sees() -> None:
    torch.testing.assert_close(torch.cat(on_ranks(2, on_this_rank)), part(0, 6), rtol=0, atol=1e-12)
