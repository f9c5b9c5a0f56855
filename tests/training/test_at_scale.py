"""A billion images and 1,024 ranks, simulated rank by rank: no overlap, no gap, and no rank that needs much."""

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from ganflow.data.prepared.dataset import Dataset, Facts
from ganflow.distributed import collectives, rng
from ganflow.training.batches import BatchSource
from tests.support.sparse import overwrite, write_sparse

IMAGES, RANKS, SHARDS = 10**9, 1024, 4000
BATCH, SEED, LATENT = 4 * RANKS, 3, 8
CPU = torch.device("cpu")
FACTS = Facts((3, 32, 32), 10)


class Echo:
    """A data set whose images are the numbers that they were asked by."""

    facts = replace(FACTS, kind="points")  # which are taken as they are

    def __len__(self) -> int:
        return IMAGES

    def images(self, rows: rng.Indices) -> np.ndarray:
        return rows[:, None, None, None]


def feed(data: object, batch: int = BATCH, conditional: bool = False) -> BatchSource:
    strides = {"D": batch, "G": batch}
    return BatchSource(cast(Dataset, cast(Any, data)), SEED, LATENT, conditional, False, CPU, batch, strides)


def played(rank: int, ranks: int, turns: list[int], batch: int = BATCH) -> list[dict[str, torch.Tensor]]:
    """What a rank takes in some turns, each given by its first image."""
    part = collectives.part(batch, rank, ranks)
    own = feed(Echo(), batch)
    out = []
    for first in turns:
        at, count = first + part.start, part.stop - part.start
        out.append({"rows": own.real(at, count)[0].flatten(), "z": own.latents["G"](at, count)[0]})
    return out


@pytest.mark.parametrize("start", [0, IMAGES - BATCH - BATCH // 2, 37 * IMAGES - BATCH // 3], ids=lambda s: f"from {s}")
def test_every_rank_takes_its_own_and_together_they_take_what_one_would(start: int) -> None:
    turns = [start + turn * BATCH for turn in range(3)]  # the second and third straddle two epochs
    alone = played(0, 1, turns)
    ranks = [played(rank, RANKS, turns) for rank in range(RANKS)]
    for turn, whole in enumerate(alone):
        for name, rows in whole.items():
            assert torch.equal(torch.cat([rank[turn][name] for rank in ranks]), rows), (turn, name)
    rows = torch.cat([whole["rows"] for whole in alone]).numpy()
    assert rows.min() >= 0
    assert rows.max() < IMAGES
    epoch = np.arange(start, start + len(rows)) // IMAGES
    for one in np.unique(epoch):
        of_epoch = rows[epoch == one]
        assert len(np.unique(of_epoch)) == len(of_epoch), "an image came twice in an epoch"


def test_any_number_of_ranks_sees_the_same_batch() -> None:
    turns = [IMAGES - 50, IMAGES + 950]
    alone = played(0, 1, turns, batch=1000)
    for ranks in (2, 7, 64, 999):
        several = [played(rank, ranks, turns, batch=1000) for rank in range(ranks)]
        for turn, whole in enumerate(alone):
            assert torch.equal(torch.cat([rank[turn]["rows"] for rank in several]), whole["rows"]), ranks


def place_of(row: int, epoch: int, n: int) -> int:
    """When an epoch comes to a row: the permutation run backwards, in Python's integers."""
    mask = (1 << 64) - 1
    width = (n - 1).bit_length()
    low = width - width // 2
    keys = [rng.derive(SEED, "order", epoch, turn) for turn in range(8)]

    def mix(x: int) -> int:
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & mask
        x = (x ^ x >> 27) * 0x94D049BB133111EB & mask
        return x ^ x >> 31

    def back(x: int) -> int:
        # After eight rounds the halves are as wide as they were at the start.
        left, right, left_bits, right_bits = x >> low, x & (1 << low) - 1, width // 2, low
        for key in reversed(keys):
            left_bits, right_bits = right_bits, left_bits
            left, right = right ^ mix(left ^ key) & (1 << left_bits) - 1, left
        return left << right_bits | right

    place = back(row)
    while place >= n:
        place = back(place)
    return place


@pytest.mark.parametrize("epoch", [0, 5])
def test_every_image_has_its_place_in_an_epoch(epoch: int) -> None:
    some = [0, 1, IMAGES - 1, *np.random.default_rng(epoch).integers(0, IMAGES, 2000).tolist()]
    places = np.array([place_of(row, epoch, IMAGES) for row in some])
    assert places.min() >= 0
    assert places.max() < IMAGES
    taken = rng.sample_order(SEED, (epoch * IMAGES + places).tolist(), 1, IMAGES)
    np.testing.assert_array_equal(taken, some)


@pytest.fixture(scope="module")
def billion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three terabytes, as far as anyone can see."""
    root = tmp_path_factory.mktemp("billion") / "data"
    write_sparse(root, FACTS, IMAGES, SHARDS)
    return root


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("million") / "data"
    write_sparse(root, FACTS, 10**6, 4)
    return root


def cost(action: Callable[[], Any]) -> tuple[float, int]:
    """Seconds, and bytes at most at once above those before."""
    tracemalloc.start()
    try:
        start = time.perf_counter()
        action()
        return time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_rank_starts_within_seconds_and_megabytes(billion: Path) -> None:
    seconds, peak = cost(lambda: Dataset.open(billion, verify=False))
    assert seconds < 30
    assert peak < 48 << 20  # the manifest of 4,000 shards


def test_a_rank_s_turn_costs_what_it_costs_with_little_data(billion: Path, million: Path) -> None:
    part = collectives.part(BATCH, RANKS - 1, RANKS)

    def turns(data: Path) -> tuple[float, int]:
        own = feed(Dataset.open(data, verify=False), conditional=True)

        def take(first: int) -> None:
            own.real(first + part.start, part.stop - part.start)
            own.latents["G"](first + part.start, part.stop - part.start)

        take(0)
        return cost(lambda: [take(turn * BATCH) for turn in range(16, 48)])

    (_, small), (seconds, large) = turns(million), turns(billion)
    assert seconds < 32 * 0.5
    assert large < 4 << 20
    assert large < small + (3 << 20)


def test_rows_are_found_at_the_far_end(billion: Path) -> None:
    data = Dataset.open(billion, verify=False)
    assert len(data) == IMAGES
    each = IMAGES // SHARDS
    marked = {0: 1, each - 1: 2, each: 3, 2_147_483_648 // 3: 4, 123_456_789: 5, IMAGES - 1: 6}
    for row, value in marked.items():
        shard, place = divmod(row, each)
        overwrite(billion / f"train/images-{shard:05d}.npy", place, np.full((3, 32, 32), value, np.uint8))
        overwrite(billion / f"train/labels-{shard:05d}.npy", place, np.array(value))
    rows = np.array([*marked, 77, 500_000_000])
    assert data.images(rows)[:, 0, 5, 5].tolist() == [*marked.values(), 0, 0]
    assert data.labels[rows].tolist() == [*marked.values(), 0, 0]
