"""A device that is quick for its recipe spends a small share of its time in what it tells, and nothing else changes."""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ganflow.config import composition
from ganflow.config.schema import Config
from ganflow.distributed import collectives
from ganflow.training import trainer as trainer_module
from ganflow.training.events import Event, Progressed, Report, Saved, Snapshot, Warned
from ganflow.training.history import History
from ganflow.training.rhythm import CHECKPOINT, PARTS, REPORT, SNAPSHOT, Rhythm
from tests.support.ranks import on_ranks
from tests.training.small import config, run, same, trainer
from tests.training.test_pause import EVERY_KIND, STATEFUL
from tests.training.test_resume import RUNS

# Seconds that the default recipe's took on one core of a CPU, and the first of each, in the median.
COSTS = {REPORT: (0.0013, 0.0015), SNAPSHOT: (0.132, 0.233), CHECKPOINT: (0.0097, 0.0116)}


@dataclass
class Simulated:
    """A run whose method and events do nothing but let time pass."""

    now: float = 0.0
    at: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in PARTS})
    spent: Counter[str] = field(default_factory=Counter)
    warned: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        return sum(self.spent.values()) / self.now

    def event(self, kind: str, slow: float) -> Callable[[], None]:
        typical, first = COSTS[kind]

        def happen() -> None:
            cost = slow * (typical if self.at[kind] else first)
            self.at[kind].append(self.now)
            self.now += cost
            self.spent[kind] += cost

        return happen


def simulate(cfg: Config, data: Path, pace: float, slow: float = 1.0) -> Simulated:
    """Train at ``pace`` images per second, where an event takes ``slow`` times what it took here."""
    ran = Simulated()

    def step() -> None:
        made.state.nimg += cfg.training.batch
        ran.now += cfg.training.batch / pace

    def listen(event: Event) -> None:
        if isinstance(event, Warned):
            ran.warned.append(event.message)

    made = trainer(cfg, data, listener=listen)
    made.rhythm = Rhythm(cfg.training.overhead, lambda: ran.now)
    made.step = step  # type: ignore[method-assign]
    made._report, made._snapshot, made._checkpoint = (  # type: ignore[method-assign]
        ran.event(kind, slow) for kind in (REPORT, SNAPSHOT, CHECKPOINT)
    )
    made.state.reconcile = lambda: None  # type: ignore[method-assign]
    made.fit()
    return ran


def fast(seconds: int, *overrides: str) -> Config:
    """The default recipe, but for its length at 100,000 images/s."""
    return composition.compose(["training.batch=10000", f"training.kimg={100 * seconds}", *overrides])


@pytest.mark.parametrize(("overhead", "seconds"), [(0.02, 3600), (0.02, 1800), (0.1, 1800), (0.002, 3600)])
def test_a_fast_run_keeps_within_its_share_and_is_never_long_without_an_event(
    digits: Path, overhead: float, seconds: int
) -> None:
    ran = simulate(fast(seconds, f"training.overhead={overhead}"), digits, 100_000)
    assert 0.5 * overhead < ran.share <= overhead
    for kind, (cost, _) in COSTS.items():
        assert ran.spent[kind] <= overhead * PARTS[kind] * ran.now
        silence = 2 * cost / (overhead * PARTS[kind]) + 0.7  # due every 0.3 s, which may take as long again
        times = [0.0, *ran.at[kind]]
        assert max(later - sooner for sooner, later in itertools.pairwise(times)) <= silence


def test_without_a_bound_that_run_would_spend_a_third_of_its_time(digits: Path) -> None:
    ran = simulate(fast(60, "training.overhead=null"), digits, 100_000)
    assert ran.share > 1 / 3
    assert len(ran.at[REPORT]) == 600


@pytest.mark.parametrize("slow", [1, 8])
def test_the_default_recipe_leaves_nothing_out_on_a_cpu(digits: Path, slow: int) -> None:
    ran = simulate(composition.compose([]), digits, 6000 / slow, slow)
    assert {kind: len(times) for kind, times in ran.at.items()} == {REPORT: 120, SNAPSHOT: 8, CHECKPOINT: 24}
    assert ran.warned == []
    assert ran.share > 0.02  # a short run may


def test_the_user_is_told_once_what_is_left_out_and_why(digits: Path) -> None:
    ran = simulate(fast(600), digits, 100_000)
    assert sorted(ran.warned) == [
        "checkpoints take 0.0097 s each: to stay within 0.8 % of the time (training.overhead=0.02) they come about "
        "every 2.4 s",
        "reports take 0.0013 s each: to stay within 0.4 % of the time (training.overhead=0.02) they come about "
        "every 0.7 s",
        "snapshots take 0.132 s each: to stay within 0.8 % of the time (training.overhead=0.02) they come about "
        "every 33.0 s",
    ]


def test_the_user_is_told_again_when_a_kind_costs_twice_as_much() -> None:
    now = [0.0]
    rhythm = Rhythm(0.02, lambda: now[0])

    def take(cost: float) -> str | None:
        with rhythm.timed(REPORT):
            now[0] += cost
        return rhythm.news(REPORT)

    lines = [take(cost) is not None for cost in (5.0, 5.0, 5.0, 9.0, 9.0, 10.0, 10.0, 10.0)]
    assert lines == [True, True, False, False, False, False, True, False]  # the first is not counted


def test_an_event_that_met_a_network_that_hung_keeps_none_of_the_next_away() -> None:
    now = [0.0]
    rhythm = Rhythm(0.02, lambda: now[0])
    for cost in (60.0, 0.01, 120.0, 0.01):
        assert rhythm.choose([CHECKPOINT]) == [CHECKPOINT]
        with rhythm.timed(CHECKPOINT):
            now[0] += cost
    for _ in range(2):
        with rhythm.timed(CHECKPOINT):
            now[0] += 60.0
    assert rhythm.choose([REPORT, SNAPSHOT, CHECKPOINT]) == [REPORT, SNAPSHOT]


def test_time_before_the_training_does_not_count() -> None:
    now = [0.0]
    rhythm = Rhythm(0.02, lambda: now[0])
    now[0] = 1e6
    rhythm.begin()
    for _ in range(2):
        with rhythm.timed(CHECKPOINT):
            now[0] += 60.0
    assert rhythm.choose([CHECKPOINT]) == []


def choices() -> list[list[str]]:
    """What a rank is given where every event takes the last one a minute, and rank 0 no time."""
    now = [0.0]
    rhythm = Rhythm(0.02, lambda: now[0])
    chosen = []
    for _ in range(4):
        chosen.append(rhythm.choose([REPORT, CHECKPOINT]))
        with rhythm.timed(REPORT), rhythm.timed(CHECKPOINT):
            now[0] += 60.0 * (collectives.rank() > 0)
    return chosen


def test_all_ranks_take_what_rank_0_takes() -> None:
    assert on_ranks(2, choices) == [[[REPORT, CHECKPOINT]] * 4] * 2


class Silent(Rhythm):
    """Leaves out all that it may."""

    def choose(self, due: Sequence[str]) -> list[str]:
        return []


def silent_run(cfg: Config, data: Path, folder: Path | None = None, pause_at: int | None = None) -> dict[str, Any]:
    """Resume and train without an event that is not the end's or a pause's; the state, and what was told when."""
    told: list[Event] = []
    made = trainer(cfg, data, folder, pause_at=pause_at, listener=told.append)
    made.rhythm = Silent(0.02)
    made.resume()
    made.fit()
    kinds = (Report, Snapshot, Saved)
    return {
        "state": made.state.state_dict(),
        "told": [(type(event).__name__, event.nimg) for event in told if isinstance(event, kinds)],
    }


def weights(ended: dict[str, Any]) -> dict[str, Any]:
    """All that is trained: the state, but for the reports that were made and the one that is being made."""
    return {key: value for key, value in ended["state"].items() if key not in ("means", "low_reports")}


@pytest.mark.parametrize(
    "overrides", [EVERY_KIND, STATEFUL, RUNS["dcgan with batch normalisation on both sides"]],
    ids=["every kind", "stateful", "batch normalisation"],
)  # fmt: skip
@pytest.mark.parametrize("world", [1, 2])
def test_weights_do_not_depend_on_what_is_left_out(
    digits: Path, tmp_path: Path, world: int, overrides: tuple[str, ...]
) -> None:
    cfg = config(*overrides)
    whole = on_ranks(world, run, cfg, digits)
    silent = on_ranks(world, silent_run, cfg, digits, tmp_path)
    assert len(whole[0]["told"]) > 4
    assert sorted(silent[0]["told"]) == [("Report", 256), ("Saved", 256), ("Snapshot", 256)]
    for undisturbed, quiet in zip(whole, silent, strict=True):
        assert same(weights(quiet), weights(undisturbed))


@pytest.mark.parametrize("world", [1, 2])
def test_a_run_that_resumes_has_the_same_weights_too(digits: Path, tmp_path: Path, world: int) -> None:
    cfg = config(*EVERY_KIND)
    whole = on_ranks(world, run, cfg, digits)
    paused = on_ranks(world, silent_run, cfg, digits, tmp_path, 100)
    assert [name for name, _ in paused[0]["told"]] == ["Saved"]
    ended = on_ranks(world, silent_run, cfg, digits, tmp_path)
    on_ranks(world, run, cfg, digits, tmp_path / "cut", 160)
    killed = on_ranks(world, silent_run, cfg, digits, tmp_path / "cut")
    for rank in range(world):
        assert paused[rank]["state"]["nimg"] < 256
        assert same(weights(ended[rank]), weights(whole[rank]))
        assert same(weights(killed[rank]), weights(whole[rank]))


def test_curves_have_what_was_measured_and_the_line_about_the_rest(digits: Path, tmp_path: Path) -> None:
    history = History(tmp_path)
    made = trainer(config(), digits, tmp_path, listener=history)
    made.rhythm = Silent(0.02)
    made.fit()
    assert [row["nimg"] for row in History(tmp_path).rows()] == [256]
    warned = [event for event in History(tmp_path).before(256) if isinstance(event, Warned)]
    assert {event.message.split()[0] for event in warned} == {"reports", "snapshots", "checkpoints"}


def test_the_bar_moves_by_time_between_reports(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_module, "PROGRESS_S", 0.0)
    told: list[Event] = []
    trainer(config("training.report_kimg=10"), digits, listener=told.append).fit()
    assert [event.nimg for event in told if isinstance(event, Progressed)] == list(range(32, 257, 32))
    assert [event.nimg for event in told if isinstance(event, Report)] == [256]
