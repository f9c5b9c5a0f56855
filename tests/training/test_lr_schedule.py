"""The learning rate over a run."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from ganflow.methods.players.player import Player
from ganflow.training.events import Event, Report
from ganflow.training.schedules import factor
from tests.training.small import config, run, same, trainer


@pytest.mark.parametrize(
    ("nimg", "decay", "expected"),
    [
        (0, "constant", 0.0), (50, "linear", 0.25), (199, "cosine", 0.995),  # the warm-up is the same for all
        (200, "constant", 1.0), (200, "linear", 1.0), (200, "cosine", 1.0),
        (600, "constant", 1.0), (600, "linear", 0.55), (600, "cosine", 0.55),  # half of what is left
        (400, "linear", 0.775), (400, "cosine", 0.1 + 0.9 * (1 + math.sqrt(0.5)) / 2),
        (1000, "constant", 1.0), (1000, "linear", 0.1), (1000, "cosine", 0.1),
        (1100, "linear", 0.1), (1100, "cosine", 0.1),
    ],
)  # fmt: skip
def test_it_warms_up_from_0_and_decays_to_the_floor(nimg: int, decay: str, expected: float) -> None:
    assert factor(nimg, warmup=200, decay=decay, floor=0.1, total=1000) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("decay", ["constant", "linear", "cosine"])
def test_without_a_warm_up_it_starts_at_the_full_rate(decay: str) -> None:
    assert factor(0, 0, decay, 0.0, 1000) == 1.0


@pytest.mark.parametrize("decay", ["linear", "cosine"])
def test_a_run_no_longer_than_its_warm_up_never_divides_by_nothing(decay: str) -> None:
    assert [factor(nimg, 100, decay, 0.5, 100) for nimg in (0, 50, 100)] == [0.0, 0.5, 0.5]


def test_a_player_s_rate_is_a_share_of_the_initial_one_in_every_group() -> None:
    network = nn.Linear(2, 1)
    groups = [{"params": [network.weight], "lr": 0.3}, {"params": [network.bias], "lr": 0.7}]
    player = Player(network, torch.optim.SGD(groups))
    for share in (0.1, 0.3, 1e-9, 0.0, 1.0):
        player.scale_rate(share)
        assert [group["lr"] for group in player.optimizer.param_groups] == [0.3 * share, 0.7 * share]
    assert player.rate == 0.3


WARM_COSINE = (
    "training.schedule.warmup_kimg=0.096",
    "training.schedule.decay=cosine",
    "training.schedule.floor=0.2",
    "training.report_kimg=0.032",
    "optimizers.generator.lr=0.001",
    "optimizers.discriminator.lr=0.004",
    "gan.regularizers.r1.interval=3",
)


def test_each_step_has_the_rate_of_the_images_seen_before_it(digits: Path) -> None:
    told: list[Event] = []
    trainer(config(*WARM_COSINE), digits, listener=told.append).fit()
    rates = {event.nimg: event.metrics for event in told if isinstance(event, Report)}
    assert list(rates) == list(range(32, 257, 32))
    for nimg, metrics in rates.items():
        seen = nimg - 32
        share = seen / 96 if seen < 96 else 0.2 + 0.8 * (1 + math.cos(math.pi * (seen - 96) / 160)) / 2
        assert metrics["lr/G"] == pytest.approx(0.001 * share, rel=1e-12)
        assert metrics["lr/D"] == pytest.approx(0.004 * share, rel=1e-12)


def test_a_step_at_rate_0_moves_nothing_and_later_ones_do(digits: Path) -> None:
    made = trainer(config(*WARM_COSINE), digits)
    weights = [p for player in made.state.players.values() for p in player.network.parameters()]
    before = [p.detach().clone() for p in weights]
    made.step()
    assert all(map(torch.equal, weights, before))
    made.step()
    assert not any(map(torch.equal, weights, before))


@pytest.mark.parametrize("cut_at", [64, 160, 224])
def test_a_resumed_run_has_the_rates_of_an_uncut_one(digits: Path, tmp_path: Path, cut_at: int) -> None:
    whole = run(config(*WARM_COSINE), digits, tmp_path / "whole")
    run(config(*WARM_COSINE), digits, tmp_path / "cut", cut_at)
    resumed = run(config(*WARM_COSINE), digits, tmp_path / "cut")
    assert resumed["start"] == cut_at // 64 * 64
    assert same(resumed["state"], whole["state"])
    assert resumed["told"] == {key: told for key, told in whole["told"].items() if key[1] > resumed["start"]}
    assert {"lr/G", "lr/D"} <= resumed["told"]["report", 256].keys()


def test_a_constant_rate_is_never_set_and_not_reported(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Player, "scale_rate")
    told = run(config("training.schedule.floor=0.5"), digits)["told"]
    assert told["report", 256].keys().isdisjoint({"lr/G", "lr/D"})
