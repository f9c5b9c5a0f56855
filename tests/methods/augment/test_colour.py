import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ganflow.methods.augment.colour import recolour, recolouring
from ganflow.methods.augment.homogeneous import product

N = 12


def draws() -> list[np.ndarray]:
    """Brightness, contrast, flip, hue, saturation."""
    g = np.random.default_rng(0)
    return [
        g.normal(0, 0.2, N),
        2 ** g.normal(0, 0.5, N),
        g.integers(0, 2, N),
        g.uniform(-3, 3, N),
        2 ** g.normal(size=N),
    ]


def recoloured(x: Tensor, values: list[np.ndarray]) -> Tensor:
    return recolour(x, product(torch.from_numpy(recolouring(*values, x.shape[1]))).to(x.dtype))


def pixels(channels: int) -> Tensor:
    return torch.randn(N, channels, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def matrix(b: float, c: float, i: float, theta: float, s: float) -> np.ndarray:
    """Appendix B, line by line: homogeneous matrices of colours, the first transform to the right."""
    v = np.array([1, 1, 1, 0]) / math.sqrt(3)
    grey, colour_space = np.outer(v, v), np.diag([1.0, 1, 1, 0])
    last = np.diag([0.0, 0, 0, 1])
    brightness = np.eye(4) + b * np.outer([1, 1, 1, 0], [0, 0, 0, 1])
    contrast = np.diag([c, c, c, 1])
    luma_flip = np.eye(4) - 2 * grey * i
    cross = np.zeros((4, 4))
    cross[:3, :3] = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    hue = last + grey + math.cos(theta) * (colour_space - grey) + math.sin(theta) * cross  # Rodrigues
    saturation = last + grey + (colour_space - grey) * s
    return saturation @ hue @ luma_flip @ contrast @ brightness


def test_colours_are_the_product_of_the_paper_s_matrices() -> None:
    x, values = pixels(3), draws()
    out = recoloured(x, values)
    for k, row in enumerate(zip(*values, strict=True)):
        homogeneous = np.concatenate([x[k].flatten(1).numpy(), np.ones((1, 6))])
        expected = (matrix(*row) @ homogeneous)[:3].reshape(3, 2, 3)
        np.testing.assert_allclose(out[k].numpy(), expected, rtol=0, atol=1e-12)


def test_a_third_of_a_circle_of_hue_swaps_the_channels_in_a_ring() -> None:
    x, zero, one = pixels(3), np.zeros(N), np.ones(N)
    turned = recoloured(x, [zero, one, zero, 2 * math.pi / 3 * one, one])
    torch.testing.assert_close(turned, x[:, [2, 0, 1]])


def test_a_grey_image_is_what_its_three_equal_channels_would_be() -> None:
    x, values = pixels(1), draws()
    coloured = recoloured(x.expand(-1, 3, -1, -1), values)
    torch.testing.assert_close(recoloured(x, values).expand_as(coloured), coloured)


@pytest.mark.parametrize("channels", [2, 4])
def test_hue_and_saturation_are_left_out_without_red_green_and_blue(channels: int) -> None:
    (b, c, i, _, _), x = draws(), pixels(channels)
    out = recoloured(x, draws())
    for k in range(N):
        lit = c[k] * (x[k] + b[k])
        expected = lit - 2 * lit.mean(0) if i[k] else lit
        torch.testing.assert_close(out[k], expected)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_neutral_values_change_no_bit(channels: int) -> None:
    x, zero, one = pixels(channels).float(), np.zeros(N), np.ones(N)
    assert torch.equal(recoloured(x, [zero, one, zero, zero, one]), x)
