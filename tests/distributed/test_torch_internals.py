"""Torch's private parts do what ganflow takes them for."""

import functools
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ganflow.distributed.torch_internals import lerp_all, mark_non_finite, step


@pytest.mark.parametrize(("value", "marked"), [(1.0, 0.0), (math.inf, 1.0), (-math.inf, 1.0), (math.nan, 1.0)])
def test_a_value_that_is_not_finite_is_marked_and_no_bit_changes(value: float, marked: float) -> None:
    tensors = [torch.randn(5, generator=torch.manual_seed(0)), torch.tensor([0.1, value])]
    before = [tensor.clone() for tensor in tensors]
    mark = torch.zeros(1)
    mark_non_finite(tensors, mark, torch.ones(1))
    assert mark.item() == marked
    assert all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(tensors, before, strict=True))


def test_lerp_moves_every_tensor_by_its_share() -> None:
    towards, sources = [torch.zeros(3), torch.ones(2)], [torch.ones(3), torch.full((2,), 5.0)]
    lerp_all(towards, sources, 0.25)
    assert [tensor.tolist() for tensor in towards] == [[0.25] * 3, [2.0] * 2]


@pytest.mark.parametrize(
    "make",
    [
        lambda weights: torch.optim.Adam(weights, 0.1, (0.5, 0.9), fused=True),
        lambda weights: torch.optim.AdamW(weights, 0.1, fused=True),
        lambda weights: torch.optim.SGD(weights, 0.1, 0.9, nesterov=True, fused=True),
        lambda weights: torch.optim.RMSprop(weights, 0.1, foreach=True),
    ],
)
def test_a_step_is_the_optimizers_own_to_the_bit(make: Callable[[list[torch.Tensor]], torch.optim.Optimizer]) -> None:
    ends = []
    for move in (step, lambda optimizer: optimizer.step()):
        weight = torch.linspace(-1, 1, 7).requires_grad_()
        optimizer = make([weight])
        for n in range(4):
            weight.grad = torch.linspace(0.1, n + 1, 7)
            move(optimizer)
        ends.append((weight.tolist(), [t.tolist() for t in optimizer.state[weight].values()]))
    assert ends[0] == ends[1]


def test_an_optimizers_own_decorator_stays() -> None:
    counted: list[int] = []

    def counting(method: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(method)
        def call(self: torch.optim.Optimizer) -> None:
            counted.append(1)
            method(self)

        return call

    class Counted(torch.optim.SGD):
        @counting
        def step(self) -> None:  # type: ignore[override]
            step(self, torch.optim.SGD)

    weight = torch.ones(1, requires_grad=True)
    weight.grad = torch.ones(1)
    step(Counted([weight], 0.5))
    assert (counted, weight.item()) == ([1], 0.5)


def test_a_player_learns_without_torchs_compiler(tmp_path: Path) -> None:
    """It takes longer to load than a small network takes to learn; a process of its own shows what is loaded."""
    program = f"""
import sys, torch, torch.distributed as dist
from ganflow.config.composition import compose
from ganflow.distributed.torch_internals import data_parallel
from ganflow.methods.players.player import build_player
dist.init_process_group("gloo", init_method="file://{tmp_path}/met", rank=0, world_size=1)
player = build_player(torch.nn.Linear(2, 2), compose(), "optimizers.generator", torch.device("cpu"))
player._parallel = data_parallel(player.network)
for _ in range(2):
    with player.turn():
        player.backward({{"term": player(torch.ones(1, 2)).sum()}})
        player.step()
player.load_state_dict(player.state_dict())
print("torch._dynamo" in sys.modules, "sympy" in sys.modules)
import torch._dynamo
print(torch._dynamo.__file__ is not None, data_parallel(player.network).training)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False", "True", "True"]
