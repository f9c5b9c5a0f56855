from math import sqrt

import pytest
import torch
from torch import nn

from ganflow.methods.networks.layers.initial_weights import initialise


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(40, 60), nn.Conv2d(20, 30, 5, bias=False), nn.ConvTranspose2d(30, 20, 5, 2))


INPUTS = (40, 20 * 25, 30 * 25)  # of each layer; a transposed convolution's before its stride
OUTPUTS = (60, 30 * 25, 20 * 25)


def test_torch_s_own_weights_stay() -> None:
    before = network()
    after = network()
    initialise(after, "torch")
    assert all(torch.equal(p, q) for p, q in zip(before.parameters(), after.parameters(), strict=True))


@pytest.mark.parametrize("init", ["he", "glorot"])
def test_weights_have_the_law_asked_for_and_biases_are_zero(init: str) -> None:
    layers = network()
    initialise(layers, init)
    for layer, inputs, outputs in zip(layers, INPUTS, OUTPUTS, strict=True):
        assert isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)
        deviation = sqrt(2 / inputs) if init == "he" else sqrt(2 / (inputs + outputs))
        assert float(layer.weight.detach().std()) == pytest.approx(deviation, rel=0.04)
        uniform = float(layer.weight.detach().abs().max()) <= sqrt(3) * deviation
        assert uniform == (init == "glorot")
        assert layer.bias is None or not layer.bias.any()
