from typing import Any

import pytest
import torch
from torch import nn

from ganflow.methods.networks.layers.equalised import GAIN, EqualConv2d, EqualLinear, leaky_relu


def test_a_linear_layer_scales_its_weights_by_the_root_of_its_inputs() -> None:
    layer, x = EqualLinear(9, 4, bias=2.0, rate=0.01).double(), torch.randn(5, 9, dtype=torch.float64)
    expected = x @ layer.weight.T * 0.01 / 3 + 2.0
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize(("stride", "padding"), [(1, 1), (2, 0)])
def test_a_convolution_scales_its_weights_by_the_root_of_its_inputs(stride: int, padding: int) -> None:
    layer, x = EqualConv2d(4, 5, 3, stride).double(), torch.randn(2, 4, 7, 7, dtype=torch.float64)
    nn.init.normal_(layer.bias)
    expected = nn.functional.conv2d(x, layer.weight / 6, layer.bias, stride, padding)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("rate", [1.0, 0.01])
def test_whatever_the_rate_outputs_start_with_the_inputs_spread(rate: float) -> None:
    torch.manual_seed(0)
    layer = EqualLinear(256, 256, rate=rate)
    assert float(layer.weight.detach().std()) == pytest.approx(1 / rate, rel=0.02)
    assert float(layer(torch.randn(512, 256)).detach().std()) == pytest.approx(1, rel=0.02)
    assert float(EqualConv2d(64, 64, 3)(torch.randn(8, 64, 16, 16))[..., 1:-1, 1:-1].detach().std()) == pytest.approx(
        1, rel=0.05
    )


@pytest.mark.parametrize(("inputs", "rate"), [(4, 1.0), (400, 1.0), (4, 0.01)])
def test_adam_moves_what_is_used_by_the_same_share_of_its_spread(inputs: int, rate: float) -> None:
    layer = EqualLinear(inputs, 3, rate=rate)
    before = layer.scaled("weight").detach().clone()
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    layer(torch.randn(8, inputs)).square().sum().backward()
    optimizer.step()
    moved = (layer.scaled("weight") - before).abs() * inputs**0.5  # in units of the spread, 1/√inputs
    torch.testing.assert_close(moved, torch.full_like(moved, 0.1 * rate), rtol=1e-2, atol=0)


def test_the_activation_keeps_the_second_moment_within_a_few_percent() -> None:
    torch.manual_seed(0)
    of_many = leaky_relu(GAIN * torch.randn(100_000)).square().mean()
    assert float(of_many) == pytest.approx(1.04, rel=0.02)  # 2·(1 + 0.2²)/2
    moments = [
        float(leaky_relu(layer(x)).detach().square().mean())
        for layer, x in (
            (EqualLinear(256, 256, gain=GAIN), torch.randn(512, 256)),
            (EqualConv2d(64, 64, 3, stride=2, gain=GAIN), torch.randn(8, 64, 17, 17)),
        )
    ]
    assert moments == pytest.approx([1.04, 1.04], rel=0.06)  # of layers with few weights


@pytest.mark.parametrize("gain", [1.0, 1.5])
def test_a_gain_multiplies_what_comes_out(gain: float) -> None:
    torch.manual_seed(0)
    for layer, x in (
        (EqualLinear(9, 4, bias=2.0, rate=0.01, gain=gain), torch.randn(5, 9)),
        (EqualConv2d(4, 5, 3, gain=gain), torch.randn(2, 4, 7, 7)),
    ):
        nn.init.normal_(layer.bias)
        plain: Any = type(layer)(*(9, 4, 2.0, 0.01) if isinstance(layer, EqualLinear) else (4, 5, 3))
        plain.load_state_dict(layer.state_dict())
        torch.testing.assert_close(layer(x), gain * plain(x))
