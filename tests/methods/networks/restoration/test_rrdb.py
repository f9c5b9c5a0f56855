"""ESRGAN's generator beside its authors' count and their code, written out."""

import pytest
import torch
from torch import Tensor, cat
from torch.nn.functional import conv2d, interpolate, leaky_relu

from ganflow.methods.build import shapes_only
from ganflow.methods.networks.restoration.rrdb import DenseBlock, RRDBGenerator


def test_it_is_as_large_as_the_authors() -> None:
    with shapes_only():
        G = RRDBGenerator(0, (3, 32, 32), (3, 8, 8))
    assert sum(p.numel() for p in G.parameters()) == 16_697_987


def dense(w: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    def conv(number: int, *maps: Tensor) -> Tensor:
        layer = f"{name}.layers.{number}"
        return conv2d(cat(maps, 1), w[f"{layer}.weight"], w[f"{layer}.bias"], padding=1)

    x1 = leaky_relu(conv(0, x), 0.2)
    x2 = leaky_relu(conv(1, x, x1), 0.2)
    x3 = leaky_relu(conv(2, x, x1, x2), 0.2)
    x4 = leaky_relu(conv(3, x, x1, x2, x3), 0.2)
    return conv(4, x, x1, x2, x3, x4) * 0.2 + x


def written_out(w: dict[str, Tensor], given: Tensor) -> Tensor:
    def conv(name: str, h: Tensor) -> Tensor:
        return conv2d(h, w[f"{name}.weight"], w[f"{name}.bias"], padding=1)

    first = conv("first", given)
    h = first
    for number in range(3):
        h = dense(w, f"blocks.0.blocks.{number}", h)
    body = first + conv("after", h * 0.2 + first)
    for number in (0, 1):
        body = leaky_relu(conv(f"up.{number}", interpolate(body, scale_factor=2, mode="nearest")), 0.2)
    learned = conv("last", leaky_relu(conv("refine", body), 0.2))
    return interpolate(given, scale_factor=4, mode="bicubic", antialias=True) + learned


def test_it_is_the_authors_beside_the_simple_enlargement() -> None:
    G = RRDBGenerator(0, (3, 24, 32), (3, 6, 8), blocks=1, width=5, growth=3)
    given = torch.randn(2, 3, 6, 8)
    torch.testing.assert_close(G(torch.empty(2, 0), None, given), written_out(G.state_dict(), given))


def test_dense_blocks_begin_with_a_tenth_of_he_s_weights() -> None:
    torch.manual_seed(0)
    block = DenseBlock(64, 32, 0.2).requires_grad_(False)
    for number in range(5):
        weight, bias = (block.get_parameter(f"layers.{number}.{name}") for name in ("weight", "bias"))
        assert float(weight.std()) == pytest.approx(0.1 * (2 / weight[0].numel()) ** 0.5, rel=0.02)
        assert not bias.any()
