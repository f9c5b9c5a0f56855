"""Options that move with the schedule."""

import math
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

from ganflow.config import components
from ganflow.config.params_file import at_the_end
from ganflow.config.schema import Config
from ganflow.data.prepared.dataset import Facts
from ganflow.errors import ConfigError
from ganflow.methods.build import check_fits
from ganflow.training.checkpoints.checkpoint import copied
from ganflow.training.events import Event, Report
from ganflow.training.schedules import Ramp
from tests.support.ranks import on_ranks
from tests.training.small import config, run, same, trainer

pytestmark = pytest.mark.slow

FALLING = ("training.schedule.decay=cosine", "training.schedule.floor=1", "training.report_kimg=0.032")
TO = "+training.schedule.to"
GAMMA = f"{TO}.gan.regularizers.r1.gamma=0.005"


def left(seen: int, total: int = 256) -> float:
    return (1 + math.cos(math.pi * min(1.0, seen / total))) / 2


def reports(made: Any) -> dict[int, dict[str, float]]:
    told: list[Event] = []
    made.callbacks = replace(made.callbacks, listener=told.append)
    made.fit()
    return {event.nimg: event.metrics for event in told if isinstance(event, Report)}


def test_it_begins_and_ends_at_its_values_to_the_bit() -> None:
    seen: list[list[float]] = []
    ramp = Ramp("key", [0.05, 0.9], [0.005, 0.99], lambda values: seen.append(list(values)))
    for share in (1.0, 0.0):
        ramp.move(share)
    assert seen == [[0.05, 0.9], [0.005, 0.99]]


def test_each_step_has_the_option_s_value_of_the_images_seen_before_it(digits: Path) -> None:
    made = trainer(config(*FALLING, GAMMA, "gan.regularizers.r1.gamma=0.05"), digits)
    r1 = made.method.schedulable["gan.regularizers.r1"]
    used = []
    penalise = r1.discriminator_term  # type: ignore[attr-defined]

    def noted(turn: Any) -> Tensor:
        used.append(r1.gamma)  # type: ignore[attr-defined]
        term: Tensor = penalise(turn)
        return term

    r1.discriminator_term = noted  # type: ignore[attr-defined]
    told = reports(made)
    expected = [left(seen) * 0.05 + (1 - left(seen)) * 0.005 for seen in range(0, 256, 32)]
    assert used == pytest.approx(expected, rel=1e-12)
    assert [m["schedule/gan.regularizers.r1.gamma"] for m in told.values()] == used


def test_a_step_is_that_of_a_run_which_has_the_value_from_the_start(digits: Path) -> None:
    """At the end of the decay nothing says that the option ever had another value."""
    there = ("training.schedule.kimg=0.032", "training.schedule.warmup_kimg=0.031")
    moved = trainer(config(*FALLING, GAMMA, "gan.regularizers.r1.gamma=0.05", *there), digits)
    fixed = trainer(config(*FALLING, "gan.regularizers.r1.gamma=0.005", *there), digits)
    moved.step()
    fixed.step()
    fixed.state.load_state_dict(copied(moved.state.state_dict()))
    for _ in range(2):
        moved.step()
        fixed.step()
    assert same(moved.state.state_dict(), fixed.state.state_dict())


def test_an_optimizer_s_options_move_in_every_group_and_its_rate_does_not(digits: Path) -> None:
    to = [f"{TO}.optimizers.{player}.betas=[0.0,0.5]" for player in ("generator", "discriminator")]
    lazy = ("gan.regularizers.r1.interval=3", "optimizers.generator.betas=[0.0,0.9]")
    made = trainer(config(*FALLING, *lazy, "optimizers.discriminator.betas=[0.0,0.9]", *to), digits)
    told = reports(made)
    share = left(224)
    of_g = share * 0.9 + (1 - share) * 0.5
    assert made.state.players["G"].optimizer.param_groups[0]["betas"] == pytest.approx((0.0, of_g), rel=1e-12)
    of_d = share * 0.9 + (1 - share) * 0.5  # a lazy penalty stretches nothing
    assert made.state.players["D"].optimizer.param_groups[0]["betas"] == pytest.approx((0.0, of_d), rel=1e-12)
    assert told[256]["schedule/optimizers.generator.betas.1"] == pytest.approx(of_g, rel=1e-12)
    assert "schedule/optimizers.generator.betas.0" not in told[256]  # it stays where it is
    assert told[256]["lr/G"] == told[32]["lr/G"]


def test_the_average_s_half_life_moves(digits: Path) -> None:
    average = ("training.ema_kimg=0", "training.ema_rampup=0", f"{TO}.training.ema_kimg=5")
    made = trainer(config(*FALLING, *average), digits)
    made.step()
    networks = made.state.ema.network, made.state.players["G"].network
    averages, weights = (dict(network.named_parameters()) for network in networks)
    assert same(averages, weights)
    made.fit()
    assert made.state.ema.half_life == pytest.approx((1 - left(224)) * 5000, rel=1e-12)


def test_an_augmentation_s_probability_moves_in_its_buffer(digits: Path) -> None:
    ada = ("gan/augmentation=ada", "gan.augmentation.target=0", f"{TO}.gan.augmentation.p=0.5")
    told = reports(trainer(config(*FALLING, *ada), digits))
    for nimg, metrics in told.items():
        assert metrics["augment/p"] == pytest.approx((1 - left(nimg - 32)) * 0.5, rel=1e-6)


def test_the_vae_s_divergence_may_be_warmed_up(digits: Path) -> None:
    told = reports(trainer(config(*FALLING, "method=vae", "vae.beta=0.01", f"{TO}.vae.beta=1"), digits))
    assert told[32]["schedule/vae.beta"] == 0.01
    assert told[256]["schedule/vae.beta"] == pytest.approx(left(224) * 0.01 + (1 - left(224)), rel=1e-12)


def test_the_decay_ends_where_it_is_told_to(digits: Path) -> None:
    short = ("training.schedule.kimg=0.128", "training.schedule.floor=0.25")
    told = reports(trainer(config(*FALLING, GAMMA, *short), digits))
    assert told[256]["schedule/gan.regularizers.r1.gamma"] == 0.005
    assert told[160]["lr/G"] == told[256]["lr/G"] == pytest.approx(told[32]["lr/G"] / 4, rel=1e-12)
    assert told[128]["schedule/gan.regularizers.r1.gamma"] > 0.005


MANY = (
    GAMMA, f"{TO}.optimizers.generator.betas=[0.0,0.9]", f"{TO}.training.ema_kimg=1", f"{TO}.gan.augmentation.p=0.5",
)  # fmt: skip


@pytest.mark.parametrize("cut_at", [64, 160, 224])
def test_a_resumed_run_ends_with_the_bits_of_an_uncut_one(digits: Path, tmp_path: Path, cut_at: int) -> None:
    cfg = config(*FALLING, "training.schedule.floor=0.2", "gan/augmentation=ada", "gan.augmentation.target=0", *MANY)
    whole = run(cfg, digits, tmp_path / "whole")
    run(cfg, digits, tmp_path / "cut", cut_at)
    resumed = run(cfg, digits, tmp_path / "cut")
    assert resumed["start"] == cut_at // 64 * 64
    assert same(resumed["state"], whole["state"])
    assert resumed["told"] == {key: told for key, told in whole["told"].items() if key[1] > resumed["start"]}


def options_by_step(cfg: Config, data: Path) -> list[tuple[float, ...]]:
    """What this rank's regulariser, optimizer, average and augmentation have after each step."""
    made, seen = trainer(cfg, data), []
    parts: Any = made.method.schedulable
    while made.state.nimg < made.total:
        made.step()
        betas = made.state.players["G"].optimizer.param_groups[0]["betas"]
        p = float(parts["gan.augmentation"].p)
        seen.append((parts["gan.regularizers.r1"].gamma, betas[1], made.state.ema.half_life, p))
        made.state.reconcile()
    return seen


def test_every_rank_has_what_one_alone_has(digits: Path) -> None:
    cfg = config(*FALLING, "gan/augmentation=ada", "gan.augmentation.target=0", *MANY)
    alone = options_by_step(cfg, digits)
    assert len(set(alone)) == 8
    assert on_ranks(2, options_by_step, cfg, digits) == [alone, alone]


STEERED = ("loss", "augmentation", "regularizer")
OPTIONS = [
    (group, name, option)
    for group in STEERED
    for name, cls in components.choices(group).items()
    for option, value in vars(components.schema(group, name)()).items()
    if isinstance(value, float)
]


@pytest.mark.parametrize(("group", "name", "option"), OPTIONS)
def test_every_component_keeps_an_option_under_its_name_and_nothing_else_of_it(
    group: str, name: str, option: str
) -> None:
    """So that one which moves is one that had the value from the start."""
    default = getattr(components.schema(group, name)(), option)
    moved = components.build(group, {"name": name}, group)
    other, made_so = another(group, name, option, default)
    now = getattr(moved, option)
    if isinstance(now, Tensor):
        now.fill_(other)
    else:
        setattr(moved, option, other)
    assert same(known(moved), known(made_so))


def another(group: str, name: str, option: str, default: float) -> tuple[float, Any]:
    """A value that the component takes, and the component with it."""
    for value in (default * 0.9 + 0.05, default * 1.1):
        with suppress(ConfigError):
            return value, components.build(group, {"name": name, option: value}, group)
    raise AssertionError(f"{name}.{option}={default}")


def known(of: Any) -> dict[str, Any]:
    buffers = dict(of.named_buffers()) if isinstance(of, nn.Module) else {}
    return buffers | {name: value for name, value in vars(of).items() if not name.startswith("_")}


def test_what_moves_is_null_or_nothing_by_default() -> None:
    plain = config()
    assert at_the_end(plain) is plain
    off = config(f"{TO}.gan.regularizers.r1.gamma=null")
    assert at_the_end(off) is off


def test_the_configuration_of_the_end_has_the_values(digits: Path) -> None:
    end = at_the_end(config(*FALLING, *MANY[:3]))
    assert end.gan.regularizers["r1"]["gamma"] == 0.005
    assert list(end.optimizers.generator["betas"]) == [0.0, 0.9]
    assert end.training.ema_kimg == 1.0
    assert end.training.schedule.to == {}


OF_A_GAN = (
    "with method=gan what may move is in gan.loss, gan.augmentation, gan.regularizers, gan.content, "
    "optimizers.generator, optimizers.discriminator, training.ema_kimg"
)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("gan.loss.smooth", "1", "no such key in params.yaml; ~training.schedule.to.gan.loss.smooth drops it"),
        ("data.seed", "1", OF_A_GAN),
        ("vae.beta", "1", OF_A_GAN),
        ("optimizers.generator.lr", "1e-05", "learning rates follow training.schedule.floor"),
        ("gan.regularizers.r1.interval", "2", "only decimal numbers can be scheduled; it is 1"),
        ("training.ema_kimg", "-1.0", "0 (no average) or more"),
    ],
)
def test_what_cannot_move_is_named(key: str, value: str, why: str) -> None:
    with pytest.raises(ConfigError) as said:
        config(*FALLING, f"{TO}.{key}={value}")
    assert str(said.value) == f"training.schedule.to.{key}={value}: {why}"


def test_a_type_that_does_not_fit_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^training\.schedule\.to\.gan\.regularizers\.r1\.gamma=high: "):
        config(*FALLING, f"{TO}.gan.regularizers.r1.gamma=high")


def test_without_a_decay_nothing_can_follow_it() -> None:
    with pytest.raises(ConfigError) as said:
        config(GAMMA)
    hint = "follows the decay; set training.schedule.decay=cosine or linear"
    assert str(said.value) == f"training.schedule.to.gan.regularizers.r1.gamma=0.005: {hint}"


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            (f"{TO}.gan.regularizers.r1.gamma=-1",),
            "training.schedule.to.gan.regularizers.r1.gamma=-1.0: must not be negative",
        ),
        (
            (f"{TO}.optimizers.generator.betas=[0.5]",),
            "training.schedule.to.optimizers.generator.betas=[0.5]: must be two, each from 0 to less than 1",
        ),
        (
            ("gan/augmentation=ada", f"{TO}.gan.augmentation.p=0.5"),
            "training.schedule.to.gan.augmentation.p=0.5: D's logits steer the augmentation; "
            "set gan.augmentation.target=0",
        ),
    ],
)
def test_a_component_refuses_the_last_value_before_any_work(overrides: tuple[str, ...], line: str) -> None:
    with pytest.raises(ConfigError) as said:
        check_fits(config(*FALLING, *overrides), Facts((1, 8, 8), 10))
    assert str(said.value) == line
