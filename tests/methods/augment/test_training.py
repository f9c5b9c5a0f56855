"""Trainings through each augmentation, with a penalty on the slope of D at the images before it."""

from pathlib import Path
from typing import Any

import pytest

from ganflow.config import components
from tests.support.ranks import on_ranks
from tests.training.small import config, run, same

pytestmark = pytest.mark.slow

NAMES = tuple(components.choices("augmentation"))
FAST = ("gan.augmentation.p=0.2", "gan.augmentation.kimg=0.5", "gan.augmentation.interval=2")
# Sums in another order differ in the last bit, and steps of Adam enlarge that: the papers' rate keeps it small.
SLOW = ("gan.generator.norm=none", "optimizers.generator.lr=0.0002", "optimizers.discriminator.lr=0.0002")


def chosen(name: str) -> tuple[str, ...]:
    return (f"gan/augmentation={name}", *(FAST if name == "ada" else ()), *SLOW)


def runs(data: Path) -> dict[str, dict[str, Any]]:
    return {name: run(config(*chosen(name)), data) for name in NAMES}


def reports(result: dict[str, Any]) -> dict[int, dict[str, float]]:
    return {nimg: told for (kind, nimg), told in result["told"].items() if kind == "report"}


@pytest.fixture(scope="module")
def alone(digits: Path) -> dict[str, dict[str, Any]]:
    return runs(digits)


def test_two_ranks_train_as_one(digits: Path, alone: dict[str, dict[str, Any]]) -> None:
    pair = on_ranks(2, runs, digits)[0]
    for name in NAMES:
        whole, split = reports(alone[name]), reports(pair[name])
        assert list(whole) == list(split) == [96, 192, 256]
        for nimg, told in whole.items():
            assert {"D/adversarial", "D/r1", "G/adversarial"} <= told.keys()
            assert split[nimg] == pytest.approx(told, abs=1e-4), name


def test_players_see_what_the_augmentation_makes(alone: dict[str, dict[str, Any]]) -> None:
    terms = [reports(alone[name])[96]["D/r1"] for name in NAMES]
    assert len(set(terms)) == len(NAMES)


def test_the_curve_of_p_is_reported(alone: dict[str, dict[str, Any]]) -> None:
    told = reports(alone["ada"])
    step, p = 32 * 2 / 500, {nimg: figures["augment/p"] for nimg, figures in told.items()}
    moves = [(p[96] - 0.2) / step, (p[192] - p[96]) / step, (p[256] - p[192]) / step]
    assert moves[0] == pytest.approx(round(moves[0]), abs=1e-4)
    assert {abs(round(move)) for move in moves} - {0}
    assert all(-1 <= figures["augment/sign"] <= 1 for figures in told.values())
    assert not any("augment" in key for name in ("none", "diffaugment") for key in reports(alone[name])[96])


@pytest.mark.parametrize("cut_at", [96, 192])
def test_a_run_that_is_cut_off_goes_on_bit_by_bit(digits: Path, tmp_path: Path, cut_at: int) -> None:
    # A control every third turn, a checkpoint every second: one of them falls between two controls.
    cfg = config(*chosen("ada"), "gan.augmentation.interval=3")
    whole = run(cfg, digits, tmp_path / "whole")
    run(cfg, digits, tmp_path / "cut", cut_at)
    resumed = run(cfg, digits, tmp_path / "cut")
    assert resumed["start"] > 0
    assert same(resumed["state"], whole["state"])
    assert resumed["told"] == {key: told for key, told in whole["told"].items() if key[1] > resumed["start"]}
