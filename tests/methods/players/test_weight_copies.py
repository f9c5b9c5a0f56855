"""Layers on copies of their weights in bf16 compute what autocast alone would let them compute."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganflow.distributed import collectives
from ganflow.methods.networks.layers.equalised import EqualLinear
from ganflow.methods.players import weight_copies
from ganflow.methods.players.player import Player
from ganflow.methods.players.weight_copies import WeightCopies
from tests.methods.networks.test_every_network import (
    DISCRIMINATORS,
    GENERATORS,
    build,
    inputs,
    moved,
    sides,
)
from tests.support.ranks import on_ranks

BATCH = 4
NETWORKS = [("generator", name) for name in GENERATORS] + [("discriminator", name) for name in DISCRIMINATORS]


def played(group: str, name: str, copies: bool) -> tuple[Tensor, list[Tensor | None]]:
    """What a network makes of random numbers under autocast, and its gradients."""
    side = min(side for side in sides(name) if side > 1)
    network = moved(build(group, name, side, 1, "projection"))
    arguments = inputs(group, name, BATCH, side)
    torch.manual_seed(2)
    with torch.autocast("cpu", torch.bfloat16):
        if copies:
            with WeightCopies(network).in_use():
                out = network(*arguments)
        else:
            out = network(*arguments)
    out.float().square().sum().backward()
    return out.detach(), [parameter.grad for parameter in network.parameters()]


@pytest.mark.parametrize(("group", "name"), NETWORKS)
def test_a_network_on_copies_is_the_network_under_autocast(group: str, name: str) -> None:
    (out, gradients), (expected, of_parameters) = (played(group, name, copies) for copies in (True, False))
    if name == "stylegan2":  # divides by the norm of rounded weights
        torch.testing.assert_close(out, expected, rtol=0.05, atol=0.05 * float(expected.abs().max()))
        assert [g is None for g in gradients] == [g is None for g in of_parameters]
        return
    assert torch.equal(out, expected)
    for gradient, of_parameter in zip(gradients, of_parameters, strict=True):
        torch.testing.assert_close(gradient, of_parameter, rtol=0, atol=0)


def test_factors_are_multiplied_before_the_copy_and_after_the_gradient() -> None:
    torch.manual_seed(0)
    layer, x = EqualLinear(9, 4, bias=0.5, rate=0.1, gain=3.0), torch.randn(2, 9)
    with WeightCopies(layer).in_use():
        assert torch.equal(layer.weight, (layer.factors["weight"] * copy_of(layer, "weight")).bfloat16())
        assert torch.equal(layer.bias, (layer.factors["bias"] * copy_of(layer, "bias")).bfloat16())
        layer(x.bfloat16()).sum().backward()
    rounded = x.bfloat16().sum(0).float() * layer.factors["weight"]
    torch.testing.assert_close(layer.weight.grad, rounded.expand(4, -1), rtol=0.01, atol=0)
    torch.testing.assert_close(layer.bias.grad, torch.full((4,), 2 * layer.factors["bias"]))


def copy_of(layer: EqualLinear, name: str) -> Tensor:
    torch.manual_seed(0)
    return getattr(EqualLinear(9, 4, bias=0.5, rate=0.1, gain=3.0), name).detach()  # type: ignore[no-any-return]


def test_parameters_are_back_when_the_turn_fails() -> None:
    network = nn.Sequential(EqualLinear(3, 3), nn.Linear(3, 2))
    before = dict(network.named_parameters())
    with pytest.raises(RuntimeError, match="same dtype"), WeightCopies(network).in_use():
        network(torch.ones(1, 3))  # without autocast: float32 times bf16
    assert all(parameter is before[name] for name, parameter in network.named_parameters())
    assert not network[0].holds_scaled


def test_a_frozen_network_gets_no_gradient_and_passes_it_on() -> None:
    network, x = nn.Linear(3, 1).requires_grad_(False), torch.ones(2, 3, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16), WeightCopies(network).in_use():
        network(x).sum().backward()
    assert network.weight.grad is None
    torch.testing.assert_close(x.grad, network.weight.bfloat16().float().expand(2, -1))


def three_layers() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(EqualLinear(5, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))


def steps(group_bytes: int) -> list[Tensor]:
    """The weights after three turns of a player with a gradient penalty, on this rank's rows of the same batch."""
    network = three_layers()
    player = Player(network, torch.optim.SGD(network.parameters(), lr=0.1))
    x = torch.randn(8, 5, generator=torch.Generator().manual_seed(1))[collectives.share(8)].requires_grad_()
    saved, weight_copies.GROUP_BYTES = weight_copies.GROUP_BYTES, group_bytes
    try:
        for _ in range(3):
            with player.turn():
                with torch.autocast("cpu", torch.bfloat16), player.weight_copies.in_use():
                    out = player(x).float()
                    slope = torch.autograd.grad(out.sum(), x, create_graph=True)[0]
                    terms: dict[str, Any] = {"out": out.square().mean(), "penalty": slope.square().sum(1).mean()}
                player.backward(terms)
            player.step()
    finally:
        weight_copies.GROUP_BYTES = saved
    return [parameter.detach() for parameter in copy.deepcopy(network).parameters()]


@pytest.mark.parametrize("group_bytes", [1, 1 << 20])
def test_two_ranks_learn_as_one_does(group_bytes: int) -> None:
    alone, (one, other) = steps(1 << 20), on_ranks(2, steps, group_bytes)
    for a, b, expected, start in zip(one, other, alone, three_layers().parameters(), strict=True):
        assert torch.equal(a, b)
        moved_by = float((expected - start.detach()).abs().max())
        assert moved_by > 0
        torch.testing.assert_close(a, expected, rtol=0, atol=0.03 * moved_by)
