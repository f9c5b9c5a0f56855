import math
from dataclasses import replace

import numpy as np
import pytest

from ganflow.config import composition
from ganflow.config.schema import PromotionConfig
from ganflow.errors import ConfigError, GanflowError
from ganflow.evaluation.gate import Check, Contender, Decision, check_measured, judge
from ganflow.evaluation.metrics.base import Measurement
from ganflow.evaluation.outcome import Protocol

pytestmark = pytest.mark.slow

PROTOCOL = Protocol(samples=100, reference="train", reference_samples=50, extractor="classifier-1")
GATE = PromotionConfig(limits={"coverage": 0.02, "memorised": 0.02}, first={"fid": 1.0, "coverage": 0.9})
CHAMPION = {"fid": 0.5, "coverage": 1.0, "memorised": 0.05}


def values(fid: float = 0.3, half: float = 0.05, **more: float) -> Contender:
    figures = {name: Measurement(value) for name, value in (CHAMPION | more).items()}
    figures["fid"] = Measurement(fid, fid - half, fid + half)
    return Contender(figures, {}, PROTOCOL, latency_ms=10.0)


def verdict(challenger: Contender, ratio: float = 1.0, gate: PromotionConfig = GATE) -> Decision:
    return judge(gate, challenger, values(0.5), ratio)


def failed(decision: Decision) -> list[str]:
    return [check.figure for check in decision.checks if not check.holds]


def test_a_better_model_that_lost_nothing_is_promoted() -> None:
    decision = verdict(values(0.3))
    assert decision.promoted
    assert [check.figure for check in decision.checks] == ["fid", "coverage", "memorised", "latency_ms"]
    assert decision.reasons[0] == "fid is better by more than noise: 0.3 against 0.5, a gain of 0.2 ± 0.071"
    assert decision.checks[0] == Check("better", "fid", 0.3, 0.5, pytest.approx(math.hypot(0.05, 0.05)), True,
                                       decision.reasons[0])  # fmt: skip


@pytest.mark.parametrize("fid", [0.45, 0.5, 0.7])
def test_no_better_than_noise_is_refused(fid: float) -> None:
    decision = verdict(values(fid))
    assert not decision.promoted
    assert failed(decision) == ["fid"]
    assert decision.reasons[0].startswith(f"fid is not better by more than noise: {fid:.4g} against 0.5, a gain of ")


@pytest.mark.parametrize(
    ("worse", "ratio", "figure", "why"),
    [
        ({"coverage": 0.9}, 1.0, "coverage", "coverage is worse by 0.1: 0.9 against 1; at most 0.02 is allowed"),
        ({"memorised": 0.08}, 1.0, "memorised", "memorised is worse by 0.03: 0.08 against 0.05; at most 0.02 is all"),
        ({}, 1.3, "latency_ms", "a batch takes 1.3 × the champion's time; at most 1.25 × is allowed"),
        ({"coverage": math.nan}, 1.0, "coverage", "coverage is no worse: nan"),  # what is not known does not hold
    ],
)
def test_a_regression_beyond_its_limit_is_refused(worse: dict[str, float], ratio: float, figure: str, why: str) -> None:
    decision = verdict(values(0.1, **worse), ratio)
    assert failed(decision) == [figure]
    assert [reason for reason in decision.reasons if reason.startswith(why)] == decision.reasons


def test_a_loss_of_just_the_limit_is_allowed() -> None:
    assert verdict(values(0.1, coverage=0.98, memorised=0.07), 1.25).promoted


def test_every_reason_of_a_refusal_is_told() -> None:
    decision = verdict(values(0.9, coverage=0.5, memorised=0.5), 9.0)
    assert failed(decision) == ["fid", "coverage", "memorised", "latency_ms"]
    assert len(decision.reasons) == 4


def test_what_is_null_is_not_asked_for() -> None:
    gate = PromotionConfig(limits={"coverage": None}, latency=None, first={"fid": None})
    assert [check.figure for check in verdict(values(), 9.0, gate).checks] == ["fid"]
    assert judge(gate, values(), None, None).promoted


@pytest.mark.parametrize(
    ("changes", "figures"),
    [({}, []), ({"fid": 1.2}, ["fid"]), ({"coverage": 0.8}, ["coverage"]), ({"fid": 1.0, "coverage": 0.9}, [])],
)
def test_a_first_model_is_held_against_thresholds(changes: dict[str, float], figures: list[str]) -> None:
    decision = judge(GATE, values(**changes), None, None)
    assert failed(decision) == figures
    assert decision.promoted == (not figures)
    assert all(check.champion is None for check in decision.checks)


def test_a_first_model_may_have_to_be_fast() -> None:
    gate = PromotionConfig(first={"latency_ms": 8.0})
    decision = judge(gate, values(), None, None)
    assert decision.reasons == ["latency_ms is 10; a first champion needs at most 8"]


def test_a_model_no_better_than_its_twin_passes_rarely() -> None:
    rng = np.random.default_rng(0)
    pairs = rng.normal(1.0, 0.1, (4000, 2))
    wins = [judge(GATE, values(a, 0.196), values(b, 0.196), 1.0).promoted for a, b in pairs]
    assert np.mean(wins) == pytest.approx(0.025, abs=0.008)  # half of the 5 % that differ go this way


def test_a_metric_without_an_interval_is_an_error_that_says_what_there_is() -> None:
    figures = {"fid": Measurement(0.3), "kid": Measurement(0.1, 0.0, 0.2)}
    side = replace(values(), figures={**values().figures, **figures})
    with pytest.raises(ConfigError) as told:
        judge(GATE, side, side, 1.0)
    assert str(told.value) == "promotion.metric=fid: has no interval; with an interval there is kid"


def test_a_limit_on_what_was_not_measured_is_an_error() -> None:
    gate = PromotionConfig(limits={"recall": 0.1})
    with pytest.raises(ConfigError, match=r"^promotion\.limits\.recall=0\.1: is not measured; there is fid, coverage"):
        judge(gate, values(), values(0.5), 1.0)
    with pytest.raises(ConfigError, match=r"^promotion\.first\.precision=0\.5: is not measured; there is fid,"):
        judge(PromotionConfig(first={"precision": 0.5}), values(), None, None)


def without(side: Contender, figure: str, why: str) -> Contender:
    figures = {name: measured for name, measured in side.figures.items() if name != figure}
    return replace(side, figures=figures, left_out={figure: why})


@pytest.mark.parametrize(
    ("figure", "hint"),
    [("fid", "promotion.metric may be another"), ("memorised", "promotion.limits.memorised=null does without")],
)
@pytest.mark.parametrize("side", ["challenger", "champion"])
def test_a_figure_that_could_not_be_measured_is_refused_with_the_reason(figure: str, hint: str, side: str) -> None:
    sides = {"challenger": values(0.3), "champion": values(0.5)}
    sides[side] = without(sides[side], figure, "needs a test split")
    decision = judge(GATE, sides["challenger"], sides["champion"], 1.0)
    assert (decision.promoted, failed(decision)) == (False, [figure])
    assert decision.reasons == [f"{figure} of the {side} was not measured: needs a test split; {hint}"]


def test_a_first_model_without_a_figure_that_is_asked_for_is_refused_with_the_reason() -> None:
    decision = judge(GATE, without(values(), "coverage", "needs classes"), None, None)
    line = "coverage of the challenger was not measured: needs classes; promotion.first.coverage=null does without"
    assert decision.reasons == [line]
    gate = PromotionConfig(first={"fid": 1.0, "coverage": None})
    assert judge(gate, without(values(), "coverage", "needs classes"), None, None).promoted


def test_other_protocols_do_not_meet() -> None:
    with pytest.raises(GanflowError, match="such figures do not compare"):
        judge(GATE, values(), replace(values(0.5), protocol=replace(PROTOCOL, extractor="other")), 1.0)


@pytest.mark.parametrize(
    ("overrides", "first", "line"),
    [
        (["evaluation.resamples=0"], False, "promotion.metric=fid: has no interval, for evaluation.resamples is 0"),
        (["promotion.metric=high_quality"], False, "promotion.metric=high_quality: is not measured; there is fid, kid"),
        (["+promotion.limits.modes=1"], False, "promotion.limits.modes=1.0: is not measured; there is fid, kid"),
        (["+promotion.first.modes=1"], True, "promotion.first.modes=1.0: is not measured; there is fid, kid"),
    ],
)
def test_a_gate_that_cannot_be_measured_is_refused_before_the_work(
    overrides: list[str], first: bool, line: str
) -> None:
    config = composition.compose(overrides)
    with pytest.raises(ConfigError) as told:
        check_measured(config.promotion, config.evaluation, first=first)
    assert str(told.value).startswith(line)


@pytest.mark.parametrize("recipe", ["default", "dcgan", "ring8", "grid25", "mnist", "stacked_mnist", "vae"])
@pytest.mark.parametrize("first", [True, False])
def test_a_recipe_s_gate_asks_for_what_the_recipe_measures(recipe: str, first: bool) -> None:
    config = composition.compose([f"experiment={recipe}"])
    check_measured(config.promotion, config.evaluation, first=first)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("promotion.metric=recall", "promotion.metric=recall: one that has an interval: aupro, auroc,"),
        ("promotion.metric=nothing", "promotion.metric=nothing: one that has an interval"),
        ("+promotion.limits.recal=0.1", "promotion.limits.recal=0.1: no such figure; there are"),
        ("promotion.limits.coverage=-0.1", "promotion.limits.coverage=-0.1: 0 (not worse at all) or more"),
        ("+promotion.limits.latency_ms=1", "promotion.limits.latency_ms=1.0: set promotion.latency, a ratio"),
        ("promotion.latency=0", "promotion.latency=0.0: must be more than 0"),
        ("promotion.alias=challenger", "promotion.alias=challenger: must not be register.alias"),
        ("promotion.alias='a b'", "promotion.alias=a b: letters, digits"),
    ],
)
def test_an_impossible_gate_is_one_line(override: str, line: str) -> None:
    with pytest.raises(ConfigError) as told:
        composition.compose([override])
    assert str(told.value).startswith(line)
