import math

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from torch import Tensor

from ganflow.methods.augment.affine import bilinear, blit, deform, moves, warp
from ganflow.methods.augment.homogeneous import Matrices, product


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def one_map(matrices: Matrices) -> Tensor:
    return product(torch.from_numpy(matrices))


@pytest.mark.parametrize("side", [4, 7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_blitting_is_numpy_s_flip_rotation_and_reflecting_pad(side: int, dtype: torch.dtype) -> None:
    cases = [(f, k, x, y) for f in (0, 1) for k in range(4) for x, y in ((0, 0), (1, 0), (0, -2), (-3, 2))]
    table = np.array(cases)
    x = images(len(cases), 2, side, side).to(dtype)
    out = warp(x, one_map(blit(table[:, 0], table[:, 1], table[:, 2:])).to(dtype))
    for image, seen, (flip, quarters, right, down) in zip(x.numpy(), out.numpy(), cases, strict=True):
        turned = np.rot90(image[:, :, ::-1] if flip else image, -quarters, (1, 2))  # ours turn clockwise
        padded = np.pad(turned, ((0, 0), (3, 3), (3, 3)), mode="reflect")
        expected = padded[:, 3 - down : 3 - down + side, 3 - right : 3 - right + side]
        assert np.array_equal(seen, expected), (flip, quarters, right, down)


def deformed(image: np.ndarray, s: float, one: float, a: float, two: float, x: float, y: float) -> np.ndarray:
    """Appendix B's matrices in their order, inverted as a whole, and scipy's resampling of one image (C, H, W)."""

    def turn(t: float) -> np.ndarray:
        return np.array([[math.cos(t), -math.sin(t), 0], [math.sin(t), math.cos(t), 0], [0, 0, 1]])

    move = np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])
    forward = move @ turn(two) @ np.diag([a, 1 / a, 1]) @ turn(one) @ np.diag([s, s, 1])
    middle = (image.shape[-1] - 1) / 2
    rows, columns = np.mgrid[: image.shape[1], : image.shape[2]]
    places = np.stack([columns.ravel() - middle, rows.ravel() - middle, np.ones(rows.size)])
    at_x, at_y, _ = np.linalg.inv(forward) @ places
    seen = [map_coordinates(c, [at_y + middle, at_x + middle], order=1, mode="mirror") for c in image]
    return np.stack(seen).reshape(image.shape)


@pytest.mark.parametrize("side", [4, 9])
def test_deforming_is_scipy_s_resampling_by_the_inverse_of_the_paper_s_matrices(side: int) -> None:
    draws = np.random.default_rng(0)
    values = [(2 ** draws.normal(0, 0.5), draws.uniform(-3, 3), 2 ** draws.normal(0, 0.5), draws.uniform(-3, 3),
               *draws.normal(0, side, 2)) for _ in range(20)]  # fmt: skip
    table, x = np.array(values), images(20, 3, side, side)
    out = warp(x, one_map(deform(*table[:, :4].T, table[:, 4:])))
    expected = np.stack([deformed(image, *row) for image, row in zip(x.numpy(), values, strict=True)])
    np.testing.assert_allclose(out.numpy(), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_a_product_is_numpy_s_from_the_left(count: int) -> None:
    matrices = images(3, 2, count, 4, 4)
    expected = [np.linalg.multi_dot([*chain, np.eye(4)]) for chain in matrices.flatten(0, 1).numpy()]
    np.testing.assert_allclose(product(matrices).flatten(0, 1).numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [(2, 5), (4, 4), (3, 2)])
def test_resampling_mirrors_at_any_distance_like_scipy(size: tuple[int, int]) -> None:
    x = images(2, 1, *size)
    at_x, at_y = 7 * images(2, 3, 4, seed=1), 7 * images(2, 3, 4, seed=2)
    expected = [map_coordinates(x[i, 0].numpy(), [at_y[i].numpy(), at_x[i].numpy()], order=1, mode="mirror")
                for i in range(2)]  # fmt: skip
    np.testing.assert_allclose(
        bilinear(x, torch.stack([at_x, at_y], 1))[:, 0].numpy(), np.stack(expected), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("side", [4, 5, 32, 129])
def test_the_neutral_map_changes_no_bit(side: int) -> None:
    zero, one, still = np.zeros(2), np.ones(2), np.zeros((2, 2))
    x = images(2, 3, side, side).float()
    neutral = one_map(np.concatenate([blit(zero, zero, still), deform(one, zero, one, zero, still)], axis=1)).float()
    assert not moves(neutral).any()
    assert torch.equal(warp(x, neutral), x)


def test_gradients_of_a_function_of_what_is_seen_are_those_of_finite_differences_twice() -> None:
    x = images(2, 2, 4, 4).requires_grad_()
    values = [[1.2, 0.7], [0.3, -1.0], [0.8, 1.0], [0.0, 1.0], [[0.2, 0.0], [1.0, 3.0]]]
    inverse = one_map(deform(*map(np.array, values)))

    def bent(x: Tensor) -> Tensor:
        return warp(x, inverse).pow(3)

    assert torch.autograd.gradcheck(bent, (x,))
    assert torch.autograd.gradgradcheck(bent, (x,))


def test_it_is_linear_in_the_images() -> None:
    x, y = images(1, 1, 5, 5), images(1, 1, 5, 5, seed=1)
    inverse = images(1, 3, 3, seed=2)
    torch.testing.assert_close(warp(2 * x - 3 * y, inverse), 2 * warp(x, inverse) - 3 * warp(y, inverse))
