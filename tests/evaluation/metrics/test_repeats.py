"""Rows that occur again are found whatever their order, and nothing else is."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from ganflow.evaluation.metrics.features import distinct


def by_definition(x: torch.Tensor, tolerance: float) -> list[int]:
    """The rows that have no row before them within the tolerance."""
    away = cdist(x.double(), x.double())
    return [i for i in range(len(x)) if not (away[i, :i] <= tolerance).any()]


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1, 2, 48])
def test_repeats_are_those_of_the_distances(kind: torch.dtype, size: int) -> None:
    rng = np.random.default_rng(size)
    some = torch.from_numpy(rng.normal(0, 1, (80, size))).to(kind)
    x = some[torch.from_numpy(rng.integers(0, 80, 300))]
    assert distinct(x).tolist() == by_definition(x, 0)
    assert len(distinct(x)) < 80 < len(x)


def test_rows_that_differ_by_rounding_are_repeats() -> None:
    rng = np.random.default_rng(0)
    some = torch.from_numpy(rng.normal(5, 1, (50, 64))).float()
    eps = torch.finfo(torch.float32).eps
    x = torch.cat([some * (1 + eps * torch.from_numpy(rng.integers(-1, 2, some.shape))).float() for _ in range(4)])
    assert distinct(x).tolist() == list(range(50)) == by_definition(x, 16 * eps * float(x.norm(dim=1).mean()))


def test_near_rows_are_no_repeats() -> None:
    x = torch.from_numpy(np.random.default_rng(1).normal(0, 1, (40, 8))).float()
    assert distinct(torch.cat([x, x + 1e-4])).tolist() == list(range(80))


def test_one_row_many_times_is_one() -> None:
    assert distinct(torch.full((5000, 16), 0.3)).tolist() == [0]
    noise = torch.rand(5000, 16, generator=torch.Generator().manual_seed(0)) * 1e-8
    assert distinct(100 + noise.double().float() * 0).tolist() == [0]
    assert distinct((1 + noise.double()).float() * torch.tensor([1.0, -1.0]).repeat(8)).tolist() == [0]


def test_both_zeros_are_one_and_no_rows_are_none() -> None:
    assert distinct(torch.tensor([[0.0, 1.0], [-0.0, 1.0]])).tolist() == [0]
    assert distinct(torch.empty(0, 4)).tolist() == []
