"""Arrays that come by one copy are those that are made when they are asked for, and none is made in vain for long."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch

from ganflow.config.schema import Config
from ganflow.distributed import rng
from ganflow.distributed.host_arrays import Array, Direct, OneCopy
from ganflow.training import build
from tests.support.ranks import on_ranks
from tests.training.small import config, run, same

CPU = torch.device("cpu")
MANY = (
    "gan/augmentation=ada", "gan.augmentation.p=0.5", "gan.augmentation.target=0", "training.mirror=true",
    "gan/regularizers=[r1,instance_noise,consistency]", "gan.regularizers.r1.interval=2",
    "gan.regularizers.consistency.interval=3", "training.d_steps=2", "training.kimg=0.512",
)  # fmt: skip


def by_one_copy(cfg: Config, data: Path, folder: Path | None = None, cut_at: int | None = None) -> dict[str, Any]:
    """A run on the CPU as on a GPU, and how many arrays came by themselves."""
    alone: list[int] = []
    call = Direct.__call__

    def counted(self: Direct, make: Any, first: int, **rest: Any) -> torch.Tensor:
        alone.append(first)
        return call(self, make, first, **rest)

    with patch.object(build, "_arrays", OneCopy), patch.object(Direct, "__call__", counted):
        return {**run(cfg, data, folder, cut_at), "alone": alone}


@pytest.mark.parametrize("options", [(), MANY], ids=["the default", "many draws"])
@pytest.mark.parametrize("world", [1, 2])
def test_a_run_by_one_copy_a_step_is_the_same(digits: Path, options: tuple[str, ...], world: int) -> None:
    cfg = config(*options)
    if world == 2:
        ours, theirs = on_ranks(2, by_one_copy, cfg, digits)[1], on_ranks(2, run, cfg, digits)[1]
    else:
        ours, theirs = by_one_copy(cfg, digits), run(cfg, digits)
    assert same(ours["state"], theirs["state"])
    assert ours["told"] == theirs["told"]
    assert ours["alone"]
    # What each step asks for is known after the first one; what comes in every third turn of D, after the fifth step.
    assert max(ours["alone"]) < (32 if options == () else 5 * 64)


def test_a_run_that_goes_on_is_the_same(digits: Path, tmp_path: Path) -> None:
    cfg = config(*MANY)
    by_one_copy(cfg, digits, tmp_path, cut_at=192)
    resumed = by_one_copy(cfg, digits, tmp_path)
    assert resumed["start"] == 192
    assert same(resumed["state"], run(cfg, digits)["state"])


def numbered(first: int, size: int) -> Array:
    """Odd sizes, so that no array ends where the next may begin."""
    return np.arange(first, first + size, dtype=np.int64 if size % 2 else np.float32)


def test_what_comes_rarely_is_expected_once_it_came_twice() -> None:
    made: list[int] = []

    def rare(first: int, size: int) -> Array:
        made.append(first)
        return numbered(first, size)

    arrays = OneCopy(CPU)
    alone = []
    with patch.object(Direct, "__call__", lambda self, make, first, **rest: alone.append(first) or torch.zeros(1)):
        for start in range(0, 200, 10):
            arrays.begin(start, 10)
            arrays(numbered, start + 2, size=5)
            if start % 40 == 0:
                arrays(rare, start, size=3)
    arrays._thread.shutdown()
    assert alone == [2, 0, 40]
    assert made == [10, 20, 80, 120, 160, 200]  # the first two in vain


def test_arrays_keep_their_type_shape_and_values() -> None:
    wanted = [
        (numbered, {"size": 3}), (numbered, {"size": 4}),
        (rng.normal, {"seed": 1, "stream": "s", "count": 3, "size": 5}), (flags, {"count": 7}),
        (bytes_of, {"count": 9}), (numbered, {"size": 0}),
    ]  # fmt: skip
    arrays = OneCopy(CPU)
    for start in (0, 8, 16):
        arrays.begin(start, 8)
        for make, rest in wanted:
            array = make(first=start, **rest)
            came = arrays(make, start, **rest)
            assert came.dtype == torch.from_numpy(array).dtype
            assert np.array_equal(came.numpy(), array)


def flags(first: int, count: int) -> Array:
    return rng.uniform(0, "f", first, count, 1) < 0.5


def bytes_of(first: int, count: int) -> Array:
    return np.arange(first, first + count * 6, dtype=np.uint8).reshape(count, 2, 3)


def test_an_error_in_what_makes_an_array_is_the_step_s() -> None:
    def failing(first: int) -> Array:
        if first == 20:
            raise OSError("the disk")
        return np.zeros(1)

    arrays = OneCopy(CPU)
    for start in (0, 10):
        arrays.begin(start, 10)
        arrays(failing, start)
    with pytest.raises(OSError, match="the disk"):
        arrays.begin(20, 10)
