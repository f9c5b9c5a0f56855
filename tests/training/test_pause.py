"""Training that is asked to pause saves what it has, and goes on with the same bits; the batch's parts are the same
on any number of ranks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ganflow.config import composition
from ganflow.training.batches import Prefetcher
from ganflow.training.history import History
from tests.support.ranks import on_ranks
from tests.training.small import config, run, same
from tests.training.test_resume import RUNS

EVERY_KIND = RUNS["every kind of state"]
STATEFUL = (
    "gan/augmentation=ada",
    "gan.augmentation.interval=2",
    "gan.augmentation.p=0.5",
    "gan/regularizers=[r1,lecam]",
    "gan.regularizers.r1.interval=2",
    "gan.regularizers.lecam.start=2",
    "gan.discriminator.dropout=0.2",
)


@pytest.mark.parametrize("pause_at", [32, 160])
def test_a_paused_run_goes_on_with_the_same_bits(digits: Path, tmp_path: Path, pause_at: int) -> None:
    cfg = config(*EVERY_KIND)
    whole = run(cfg, digits, tmp_path / "whole")
    paused = run(cfg, digits, tmp_path / "cut", pause_at=pause_at)
    assert [(event.nimg, event.why) for event in paused["paused"]] == [(paused["state"]["nimg"], "a notice")]
    resumed = run(cfg, digits, tmp_path / "cut")
    assert resumed["start"] == paused["state"]["nimg"] < 256
    assert resumed["start"] - pause_at < 64  # two turns of D are one step
    assert same(resumed["state"], whole["state"])
    assert paused["told"] | resumed["told"] == whole["told"]


def test_two_ranks_pause_together_and_keep_what_is_their_own(digits: Path, tmp_path: Path) -> None:
    cfg = config(*RUNS["dcgan with batch normalisation on both sides"])
    whole = on_ranks(2, run, cfg, digits, tmp_path / "whole")
    paused = on_ranks(2, run, cfg, digits, tmp_path / "cut", None, 96)
    assert [len(rank["paused"]) for rank in paused] == [1, 0]  # the last rank was asked, rank 0 tells
    resumed = on_ranks(2, run, cfg, digits, tmp_path / "cut")
    assert resumed[0]["start"] == 96
    for rank in (0, 1):
        assert same(resumed[rank]["state"], whole[rank]["state"])
    assert paused[0]["told"] | resumed[0]["told"] == whole[0]["told"]


@pytest.mark.parametrize("overrides", [EVERY_KIND, STATEFUL, RUNS["plain"]], ids=["every kind", "stateful", "plain"])
def test_one_rank_plays_the_parts_of_two_to_the_bit(digits: Path, overrides: tuple[str, ...]) -> None:
    pair = on_ranks(2, run, config(*overrides), digits)
    alone = run(config(*overrides, "cluster.workers=[1,2]"), digits)
    assert same(weights(alone), weights(pair[0]))
    for key, told in pair[0]["told"].items():
        if key[0] == "report":
            assert alone["told"][key] == pytest.approx(told, rel=1e-9)


def weights(ended: dict[str, Any]) -> dict[str, Any]:
    """All that is state, but for the report that is being made."""
    return {key: value for key, value in ended["state"].items() if key != "means"}


def test_a_run_that_shrank_and_grew_ends_as_the_undisturbed_one(digits: Path, tmp_path: Path) -> None:
    cfg = config(*RUNS["plain"], "cluster.workers=[1,2]")
    whole = on_ranks(2, run, cfg, digits, tmp_path / "whole")[0]
    on_ranks(2, run, cfg, digits, tmp_path / "cut", None, 64)
    run(cfg, digits, tmp_path / "cut", pause_at=160)
    grown = on_ranks(2, run, cfg, digits, tmp_path / "cut")[0]
    assert grown["start"] == 160
    assert same(weights(grown), weights(whole))
    curves = [History(tmp_path / name).rows() for name in ("whole", "cut")]
    for undisturbed, row in zip(*curves, strict=True):
        without_clock = {k: v for k, v in row.items() if k != "images_per_second"}
        assert without_clock == pytest.approx({k: undisturbed[k] for k in without_clock}, rel=1e-9)


def test_three_ranks_resume_bit_identical(digits: Path, tmp_path: Path) -> None:
    """DDP must not arrange its messages anew: with three ranks sums depend on it."""
    cfg = composition.compose([
        "training.batch=33", "training.kimg=0.264", "training.checkpoint_kimg=0.099", "training.report_kimg=0.099",
        "training.snapshot_kimg=0.264", "evaluation.samples=64", "gan/generator=mlp", "gan.generator.widths=[64,64]",
    ])  # fmt: skip
    whole = on_ranks(3, run, cfg, digits, tmp_path / "whole")
    on_ranks(3, run, cfg, digits, tmp_path / "cut", None, 132)
    resumed = on_ranks(3, run, cfg, digits, tmp_path / "cut")
    assert resumed[0]["start"] == 132
    assert same(resumed[0]["state"], whole[0]["state"])


def test_parts_that_take_turns_make_their_numbers_once() -> None:
    made: list[int] = []

    def make(firsts: Sequence[int], count: int) -> list[int]:
        made.extend(firsts)
        return list(firsts)

    ahead = Prefetcher(make, 32, 1)
    asked = [first for turn in range(20) for first in range(32 * turn, 32 * (turn + 1), 8)]
    assert [ahead(first, 8) for first in asked] == asked
    assert len(made) == len(set(made))
    assert [ahead(first, 8) for first in (0, 640)] == [0, 640]  # back to a checkpoint, and on
