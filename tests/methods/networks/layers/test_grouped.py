"""Values and derivatives are those of torch's own convolutions; only their cost differs."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ganflow.methods.networks.layers import grouped

Convolution = Callable[..., Tensor]
BOTH = {"conv2d": (grouped.conv2d, F.conv2d), "conv_transpose2d": (grouped.conv_transpose2d, F.conv_transpose2d)}
SHAPES = ((3, 1, 1), (4, 2, 1), (4, 1, 2))  # kernel, stride, padding
CASES = [(*shape, groups) for shape in SHAPES for groups in (1, 2, 4)]


def inputs(kernel: int, groups: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    x = torch.randn(2, 4, 6, 6, dtype=torch.float64, requires_grad=True)
    return x, torch.randn(4, 4 // groups, kernel, kernel, dtype=torch.float64, requires_grad=True)


def derivatives(convolve: Convolution, kernel: int, stride: int, padding: int, groups: int) -> list[Tensor]:
    """The value, the gradients, and the gradients of a penalty on them."""
    x, weight = inputs(kernel, groups)
    y = convolve(x, weight, stride=stride, padding=padding, groups=groups)
    first = torch.autograd.grad(y.pow(3).sum(), (x, weight), create_graph=True)
    penalty = first[0].pow(3).sum() + first[1].pow(3).sum()
    return [y, *first, *torch.autograd.grad(penalty, (x, weight))]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", BOTH)
def test_values_and_both_derivatives_are_torch_s(name: str, case: tuple[int, int, int, int]) -> None:
    ours, torchs = (derivatives(convolve, *case) for convolve in BOTH[name])
    torch.testing.assert_close(ours, torchs)


@pytest.mark.parametrize("convolve", [grouped.conv2d, grouped.conv_transpose2d])
def test_derivatives_of_any_order_are_those_of_differences(convolve: Convolution) -> None:
    x, weight = inputs(3, 2)
    x = x[:, :, :3, :3].detach().requires_grad_()

    def run(x: Tensor, weight: Tensor) -> Tensor:
        return convolve(x, weight, padding=1, groups=2)

    assert torch.autograd.gradcheck(run, (x, weight))
    assert torch.autograd.gradgradcheck(run, (x, weight))


@pytest.mark.parametrize("learnt", [True, False])
def test_a_penalty_s_backward_does_not_convolve_group_by_group(learnt: bool) -> None:
    x, weight = torch.randn(2, 64, 8, 8, requires_grad=True), torch.randn(64, 1, 3, 3, requires_grad=learnt)
    slope = torch.autograd.grad(grouped.conv2d(x, weight, padding=1, groups=64).square().sum(), x, create_graph=True)[0]
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        slope.square().sum().backward()
    runs = sum(
        event.count
        for event in profile.key_averages()
        if event.key in ("aten::convolution", "aten::convolution_backward")
    )
    assert 0 < runs <= 6


def test_under_autocast_both_are_in_bfloat16_and_gradients_are_not() -> None:
    x, weight = torch.randn(2, 4, 6, 6, requires_grad=True), torch.randn(4, 2, 3, 3, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = grouped.conv2d(x, weight, padding=1, groups=2)
        slope = torch.autograd.grad(y.float().square().sum(), x, create_graph=True)[0]
    slope.square().sum().backward()
    assert y.dtype == torch.bfloat16
    assert x.grad.dtype == weight.grad.dtype == torch.float32
    x64, weight64 = x.double(), weight.double()
    with torch.autocast("cpu", torch.bfloat16):
        assert grouped.conv2d(x64, weight64, padding=1, groups=2).dtype == torch.float64
