"""Promises that every degradation keeps, alone and in a chain."""

from typing import Any

import pytest
import torch
from torch import Tensor

from ganflow.config import components
from ganflow.methods.degradations.chain import DegradationChain
from tests.methods.degradations.pixels import draws, images, photo

SHAPE = (3, 40, 56)
ALONE: list[dict[str, Any]] = [{name: {}} for name in components.choices("degradation")]
KINDS = [{"hole": {"kind": kind}} for kind in ("half", "irregular")]
FILTERS = [{"downsample": {"filter": filter}} for filter in ("box", "bilinear")]
LISTS = (["blur", "downsample", "noise", "jpeg"], ["grey", "jpeg", "noise", "hole"], ["noise", "downsample"])
EVERY = [*ALONE, *KINDS, *FILTERS, *({name: {} for name in names} for names in LISTS)]
BY_CHANCE = [case for case in EVERY if {"noise", "hole"} & set(case)]


def chain(case: dict[str, Any]) -> DegradationChain:
    return DegradationChain({name: {"name": name, **options} for name, options in case.items()}, SHAPE)


def clean(count: int) -> Tensor:
    _, height, width = SHAPE
    return images(*(photo()[k : k + height, 2 * k : 2 * k + width] for k in range(count)))


@pytest.mark.parametrize("case", EVERY, ids=str)
def test_it_has_the_shape_that_it_says_and_goes_back(case: dict[str, Any]) -> None:
    steps = chain(case)
    given = steps(clean(2), draws(2))
    assert given.shape == (2, *steps.shape)
    assert given.dtype == torch.float32
    restored = steps.simple(given)
    assert restored.shape == (2, *SHAPE)
    assert (restored - clean(2)).square().mean().sqrt() < 0.5


@pytest.mark.parametrize("case", EVERY, ids=str)
@pytest.mark.parametrize("sizes", [[6, 6], [1, 2, 4, 5], [1] * 12])
def test_any_split_into_batches_gives_the_same_bits(case: dict[str, Any], sizes: list[int]) -> None:
    steps, batch = chain(case), clean(12)
    starts = [sum(sizes[:k]) for k in range(len(sizes))]
    parts = [steps(part, draws(len(part), 700 + start)) for part, start in zip(batch.split(sizes), starts, strict=True)]
    assert torch.equal(torch.cat(parts), steps(batch, draws(12, 700)))


@pytest.mark.parametrize("case", BY_CHANCE, ids=str)
def test_images_and_seeds_have_draws_of_their_own(case: dict[str, Any]) -> None:
    steps, same = chain(case), clean(1).expand(8, -1, -1, -1)
    given = steps(same, draws(8))
    assert len({image.numpy().tobytes() for image in given}) > 1
    assert not torch.equal(steps(same, draws(8, seed=1)), given)
    assert not torch.equal(steps(same, draws(8, first=8)), given)


@pytest.mark.parametrize("case", EVERY, ids=str)
def test_the_images_themselves_stay(case: dict[str, Any]) -> None:
    batch = clean(2)
    chain(case)(batch, draws(2))
    assert torch.equal(batch, clean(2))
