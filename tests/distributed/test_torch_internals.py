"""Torch's private parts do what ganflow takes them for."""

import math

import pytest
import torch

from ganflow.distributed.torch_internals import lerp_all, mark_non_finite


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
