import pytest
import torch
from torch import nn

from ganflow.training.ema import EMA


def test_half_of_what_was_is_left_after_a_half_life() -> None:
    network = nn.Linear(2, 2)
    ema = EMA(network, half_life=1000, rampup=0)
    before = ema.network.weight.detach().double().clone()
    with torch.no_grad():
        network.weight.add_(1.0)
    for step in range(10):
        ema.update(100 * (step + 1), 100)
    expected = 0.5 * before + 0.5 * network.weight.detach().double()
    assert torch.allclose(ema.network.weight.double(), expected, atol=1e-6)


def test_rampup_shortens_the_half_life_early_on() -> None:
    ema = EMA(nn.Linear(1, 1), half_life=10_000, rampup=0.05)
    assert ema.beta(nimg=2_000, batch=50) == pytest.approx(0.5 ** (50 / 100))
    assert ema.beta(nimg=1_000_000, batch=50) == pytest.approx(0.5 ** (50 / 10_000))


def test_until_its_start_it_is_a_copy() -> None:
    """BigGAN's: 0.9999 a turn of G of 4 × 50 images, from the thousandth on."""
    network = nn.Linear(2, 2)
    ema = EMA(network, half_life=1_386_225, rampup=0, start=200_000)
    weights = [torch.full((2, 2), float(value)) for value in (1, 2, 3)]
    for weight, nimg in zip(weights, (199_600, 199_800, 200_000), strict=True):
        network.weight.data.copy_(weight)
        ema.update(nimg, 200)
        if nimg < 200_000:
            assert torch.equal(ema.network.weight, weight)
    torch.testing.assert_close(ema.network.weight.detach(), 0.9999 * weights[1] + 0.0001 * weights[2])


def test_without_a_half_life_it_is_the_network_itself() -> None:
    network = nn.Linear(3, 3)
    ema = EMA(network, half_life=0, rampup=0.05)
    with torch.no_grad():
        network.weight.normal_()
    ema.update(64, 64)
    assert torch.equal(ema.network.weight, network.weight)


def test_buffers_are_copied_and_nothing_learns() -> None:
    network = nn.BatchNorm1d(4)
    ema = EMA(network, half_life=10, rampup=0)
    network(torch.randn(8, 4))
    ema.copy_buffers()
    assert torch.equal(ema.network.running_mean, network.running_mean)
    assert not any(p.requires_grad for p in ema.network.parameters())
