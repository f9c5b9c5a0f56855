import os
import time

import pytest
import torch
import torch.distributed as dist

from tests.support.patience import patience
from tests.support.ranks import on_ranks


def total(start: float) -> tuple[int, float]:
    value = torch.tensor(start + dist.get_rank())
    dist.all_reduce(value)
    return dist.get_rank(), float(value)


def fail_on_rank_1() -> None:
    if dist.get_rank() == 1:
        raise ValueError("rank one broke")
    dist.barrier()


def vanish_or_hang(seconds: float) -> None:
    if dist.get_rank() == 1:
        os._exit(7)
    time.sleep(seconds)


def test_every_rank_s_result_comes_back_by_rank() -> None:
    assert on_ranks(3, total, 10.0) == [(0, 33.0), (1, 33.0), (2, 33.0)]


def test_the_rank_that_broke_is_named_first_with_its_traceback() -> None:
    with pytest.raises(AssertionError, match=r"(?s)\Arank 1 of 2:.*fail_on_rank_1.*ValueError: rank one broke"):
        on_ranks(2, fail_on_rank_1)


def test_a_rank_that_dies_ends_the_others() -> None:
    start = time.monotonic()
    with pytest.raises(AssertionError, match=r"exit status by rank: .*1: 7"):
        on_ranks(2, vanish_or_hang, 50.0)
    assert time.monotonic() - start < 45


def test_a_rank_that_hangs_is_killed_at_the_deadline() -> None:
    with pytest.raises(AssertionError, match=rf"no result after {patience(2)} s"):
        on_ranks(1, vanish_or_hang, 50.0, deadline_s=2.0)
