"""What a search says while it runs; without a terminal, in lines."""

from dataclasses import replace

import pytest

from ganflow.cluster.jobs.trial_bar import TrialBar
from ganflow.config.composition import compose
from ganflow.config.schema import Config

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def config() -> Config:
    return compose(["tune.trials=3", "tune.kimg=36", "tune.metric=fid"])


@pytest.mark.usefixtures("messages")
def test_each_trial_says_what_it_is_worth(config: Config, capsys: Capture) -> None:
    bar = TrialBar(config)
    bar.reported(0, 36_000, 4.5)
    bar.ended(0, [])
    bar.reported(1, 12_032, 35.9)
    bar.ended(1, ["gan/loss=minimax", "training.batch=256"])
    bar.ended(2, ["training.batch=64"], "D/adversarial is not finite")
    bar.close()
    assert capsys.readouterr().err.splitlines()[:3] == [
        "tune: trial 0: fid 4.5 after 36 kimg, with params.yaml as it stands",
        "tune: trial 1: fid 35.9 after 12.03 kimg, stopped early, with gan/loss=minimax training.batch=256",
        "tune: trial 2: D/adversarial is not finite, with training.batch=64",
    ]


@pytest.mark.parametrize(
    ("mode", "best"), [("min", "0.5 after 24 kimg (trial 1)"), ("max", "0.9 after 24 kimg (trial 2)")]
)
def test_the_best_so_far_is_of_those_that_went_furthest(config: Config, mode: str, best: str, capsys: Capture) -> None:
    bar = TrialBar(replace(config, tune=replace(config.tune, mode=mode, metric="coverage")))
    bar.reported(0, 12_000, 0.1 if mode == "min" else 1.0)  # a shorter training, which does not compare
    bar.reported(1, 24_000, 0.5)
    bar.reported(2, 24_000, 0.9)
    bar.close()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tune: 1 of 3 trials, ")  # 12 + 24 + 24 of 3 · 36 kimg
    assert line.endswith(f"best coverage {best}")


def test_a_trial_that_broke_down_is_never_the_best(config: Config, capsys: Capture) -> None:
    bar = TrialBar(config)
    bar.reported(0, 12_000, 3.0)
    bar.reported(1, 36_000, float("inf"))
    bar.close()
    assert capsys.readouterr().err.rstrip().endswith("best fid 3 after 12 kimg (trial 0)")
