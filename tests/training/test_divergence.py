"""A forced NaN and a forced collapse each trigger their guard, and training ends well."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganflow.config.schema import Config, GuardConfig
from ganflow.distributed import collectives
from ganflow.errors import GanflowError
from ganflow.methods.base import Batch, Terms
from ganflow.methods.gan import GAN
from ganflow.training.divergence import Guard
from ganflow.training.events import Event, Report, Warned, each
from ganflow.training.history import History
from ganflow.training.trainer import Trainer
from tests.support.ranks import on_ranks
from tests.training.small import CutOffError, config, figures, run, same, trainer

FINE = ("training.report_kimg=0.032",)  # a report at each of the eight steps


def ill(made: Trainer, at: Callable[[int], bool], term: str = "r1", rank: int = 0) -> None:
    """Make a term of D's turn NaN on one rank, by the number of the call."""
    method, calls = made.method, [0]
    assert isinstance(method, GAN)
    terms = method.discriminator_terms

    def poisoned(batch: Batch) -> Terms:
        calls[0] += 1
        made_terms = terms(batch)
        if at(calls[0]) and collectives.rank() == rank:
            made_terms[term] = made_terms[term] * math.nan
        return made_terms

    method.discriminator_terms = poisoned  # type: ignore[method-assign]
    del method.turns  # which have the method's own terms


def collapsed(made: Trainer) -> None:
    """Make G give one image, whatever z is."""
    player = made.state.players["G"]
    network = player.network.forward

    def one(z: Tensor, labels: Tensor | None) -> Tensor:
        images = network(z, labels)
        assert isinstance(images, Tensor)
        return images.mean(0, keepdim=True).expand_as(images)

    player.network.forward = one  # type: ignore[method-assign]


def fit(made: Trainer) -> dict[str, Any]:
    """Resume and train; the state, what was told, and the error that ended it."""
    told: list[Event] = []
    made.callbacks = replace(made.callbacks, listener=each(made.callbacks.listener, told.append))
    made.resume()
    error = ""
    try:
        made.fit()
    except (GanflowError, CutOffError) as ended:
        error = str(ended) or type(ended).__name__
        made.writer.flush()  # whoever resumes in this process must find what was being written
    return {
        "state": made.state.state_dict(), "told": figures(told), "error": error, "rollbacks": made.guard.rollbacks,
        "warned": [(event.nimg, event.message) for event in told if isinstance(event, Warned)],
        "rates": {e.nimg: e.metrics.get("lr/D") for e in told if isinstance(e, Report)},
    }  # fmt: skip


def nan_once(cfg: Config, data: Path) -> dict[str, Any]:
    made = trainer(cfg, data)
    ill(made, lambda call: call == 3, rank=collectives.world_size() - 1)
    before: list[Any] = []
    check = made.guard.check_gradients

    def watched(name: str, *rest: Any) -> str | None:
        fault = check(name, *rest)
        if fault is not None:
            before.extend(p.detach().clone() for p in made.state.players[name].parameters)
            before.append(made.state.players[name].optimizer.state_dict()["state"][0]["step"].clone())
        return fault

    made.guard.check_gradients = watched  # type: ignore[method-assign]
    for _ in range(3):
        made.step()
    player = made.state.players["D"]
    after = [*player.parameters, player.optimizer.state_dict()["state"][0]["step"]]
    return {"kept": len(before) > 1 and all(map(torch.equal, before, after)), **fit(made)}


@pytest.mark.parametrize("world", [1, 2])
def test_a_nan_on_one_rank_leaves_the_update_out_on_all(digits: Path, world: int) -> None:
    ranks = on_ranks(2, nan_once, config(), digits) if world == 2 else [nan_once(config(), digits)]
    for rank in ranks:
        assert rank["kept"]
        assert rank["error"] == ""
        assert rank["state"]["nimg"] == 256
        assert all(bool(p.isfinite().all()) for p in rank["state"]["ema"].values())
        assert all(map(math.isfinite, rank["told"].get(("report", 96), {}).values()))
    assert all(same(rank["state"], ranks[0]["state"]) for rank in ranks)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_one_bad_number_anywhere_is_found_and_good_ones_stay(bad: float) -> None:
    guard = Guard(GuardConfig(), None, torch.device("cpu"))
    for shape in ((), (1,), (37,), (3, 5, 4, 4)):
        for layout in (torch.contiguous_format, torch.channels_last) if len(shape) == 4 else (torch.contiguous_format,):
            good = [torch.full((3,), 3e38), torch.randn(shape).to(memory_format=layout), torch.full((2,), 1e-45)]
            kept = [g.clone() for g in good]
            assert not guard.flag(good)
            assert all(map(torch.equal, good, kept))
            for at in range(good[1].numel()):
                ill_one = good[1].clone()
                ill_one[torch.unravel_index(torch.tensor(at), ill_one.shape) if shape else ...] = bad
                assert guard.flag([good[0], ill_one, good[2]])


def warned_once(cfg: Config, data: Path) -> list[tuple[int, str]]:
    made = trainer(cfg, data)
    ill(made, lambda call: call == 3, rank=1)
    warned = fit(made)["warned"]
    assert isinstance(warned, list)
    return warned


def test_it_says_in_which_term_and_layer(digits: Path) -> None:
    told, silent = on_ranks(2, warned_once, config(), digits)
    ((nimg, message),) = told
    assert nimg == 96
    assert message.startswith("D/r1 not finite, the gradient not finite in ")
    layers = [name for name, _ in trainer(config(), digits).state.players["D"].network.named_parameters()]
    assert message.split(" in ")[1].split(",")[0] in layers
    assert message.endswith("the update is left out (1 of D so far)")
    assert silent == []


def test_a_loss_whose_gradient_is_finite_is_caught_as_well(digits: Path) -> None:
    made = trainer(config(), digits)
    method = made.method
    assert isinstance(method, GAN)
    terms = method.generator_terms
    method.generator_terms = lambda batch: {**terms(batch), "offset": torch.tensor(math.inf)}  # type: ignore[method-assign]
    del method.turns  # which have the method's own terms
    ended = fit(made)
    assert "G/offset not finite" in ended["error"]
    assert "5 times in a row; there is no checkpoint to go back to" in ended["error"]


def test_too_many_in_a_row_go_back_with_lower_rates(digits: Path, tmp_path: Path) -> None:
    made = trainer(config(*FINE, "training.guard.patience=2"), digits, tmp_path, listener=History(tmp_path))
    ill(made, lambda call: call in (4, 5))
    ended = fit(made)
    assert ended["error"] == ""
    assert ended["rollbacks"] == 1
    assert ended["state"]["nimg"] == 256
    assert ended["state"]["players"]["D"]["optimizer"]["param_groups"][0]["lr"] == pytest.approx(0.0015 / 2)
    assert [nimg for nimg, _ in ended["warned"]] == [128, 64]
    assert "after 160 images: D/r1 not finite" in ended["warned"][1][1]
    assert [row["nimg"] for row in History(tmp_path).rows()] == list(range(32, 257, 32))
    assert Warned(*ended["warned"][1]) in History(tmp_path).before(256)


def test_a_fault_that_stays_ends_after_all_returns_in_one_line(digits: Path, tmp_path: Path) -> None:
    made = trainer(config("training.guard.patience=2", "training.guard.rollbacks=2"), digits, tmp_path)
    ill(made, lambda call: call > 4)
    ended = fit(made)
    assert ended["rollbacks"] == 2
    assert "training went back to a checkpoint 2 times already" in ended["error"]
    assert "\n" not in ended["error"]
    assert ended["state"]["nimg"] < 256


def test_a_restart_does_not_forget_the_returns(digits: Path, tmp_path: Path) -> None:
    cfg = config(*FINE, "training.guard.patience=2", "training.guard.rollbacks=2")
    for returns, error in ((1, "CutOffError"), (2, "CutOffError"), (2, "2 times already")):
        made = trainer(cfg, digits, tmp_path)
        ill(made, lambda call, first=returns: call > 2)
        seen = [made.guard.rollbacks]
        go_back = made.guard.go_back

        def cut(why: str, possible: bool, guard: Guard = made.guard, real: Any = go_back) -> None:
            real(why, possible)
            raise CutOffError  # the power fails between the note and the return

        made.guard.go_back = cut  # type: ignore[method-assign]
        ended = fit(made)
        assert error in ended["error"]
        assert (ended["rollbacks"], seen) == (returns, [0])


def test_after_a_return_a_resumed_run_is_bit_identical(digits: Path, tmp_path: Path) -> None:
    cfg = config(*FINE, "training.guard.patience=1")
    states = []
    for folder, cut_at in (("whole", None), ("cut", 192)):
        made = trainer(cfg, digits, tmp_path / folder, cut_at)
        ill(made, lambda call: call == 4)
        states.append(fit(made)["state"])
    resumed = run(cfg, digits, tmp_path / "cut")
    assert resumed["start"] == 192
    assert same(resumed["state"], states[0])


def test_weights_that_are_not_finite_reach_no_checkpoint(digits: Path, tmp_path: Path) -> None:
    made = trainer(config(), digits, tmp_path)
    made.step()
    made.step()
    made._checkpoint()
    with torch.no_grad():
        made.state.players["G"].parameters[0].view(-1)[0] = math.inf
    ended = fit_on(made)
    assert ended["error"] == ""
    assert "not finite" in ended["warned"][-1][1]
    assert made.state.finite()
    assert ended["state"]["nimg"] == 256


def fit_on(made: Trainer) -> dict[str, Any]:
    """As :func:`fit`, from where the trainer stands."""
    made.resume = lambda: None  # type: ignore[method-assign]
    return fit(made)


COLLAPSE = (*FINE, "training.guard.patience=3", "training.guard.min_diversity=0.05")


@pytest.mark.parametrize("reaction", ["stop", "rollback", "warn"])
def test_a_collapse_triggers_its_reaction(digits: Path, tmp_path: Path, reaction: str) -> None:
    made = trainer(config(*COLLAPSE, f"training.guard.on_collapse={reaction}"), digits, tmp_path)
    made.step()
    made.step()
    made._checkpoint()
    collapsed(made)
    ended = fit_on(made)
    line = "the generator has collapsed: sample diversity"
    if reaction == "stop":
        assert ended["error"].startswith(line)
        assert ended["state"]["nimg"] == 160
    elif reaction == "rollback":
        assert ended["rollbacks"] == 3
        assert f"after 160 images: {line}" in ended["error"]
        assert [nimg for nimg, _ in ended["warned"]] == [64, 64, 64]  # no checkpoint was made of the collapse
    else:
        assert ended["error"] == ""
        assert ended["state"]["nimg"] == 256
        ((nimg, message),) = ended["warned"]
        assert nimg == 160
        assert message.startswith(line)


@pytest.mark.parametrize("reaction", ["stop", "rollback", "warn"])
def test_the_guards_leave_a_healthy_run_as_it_is(digits: Path, monkeypatch: Any, reaction: str) -> None:
    guarded = run(config(*FINE, f"training.guard.on_collapse={reaction}", "training.guard.min_diversity=0"), digits)
    monkeypatch.setattr(Guard, "check_gradients", lambda *_: None)
    monkeypatch.setattr(GAN, "figures", lambda _: {})
    plain = run(config(*FINE), digits)
    assert same({**guarded["state"], "low_reports": 0}, {**plain["state"], "low_reports": 0})
    for at, told in plain["told"].items():
        extra = {} if at[0] == "snapshot" else {k: guarded["told"][at][k] for k in ("sample_diversity", "D_accuracy")}
        assert guarded["told"][at] == ({**told, **extra} if extra else told)


def signs(data: Path) -> dict[str, float]:
    made = trainer(config(), data)
    made.step()
    return made._figures()


def test_the_figures_are_those_of_the_whole_batch(digits: Path) -> None:
    made = trainer(config(), digits)
    made.step()
    assert isinstance(made.method, GAN)
    (seen,) = made.method._outputs
    assert seen is not None
    assert seen.size == len(seen.real) == 32

    def spread(images: Tensor) -> float:
        rows = images.double().flatten(1)
        pairs = [(rows[i] - rows[j]).norm() for i in range(32) for j in range(i)]
        return float(torch.stack(pairs).mean())

    right = sum(float(r > f) for r in seen.real_logits for f in seen.fake_logits) / 32**2
    expected = {"sample_diversity": spread(seen.fake) / spread(seen.real), "D_accuracy": right}
    assert made._figures() == pytest.approx(expected, rel=1e-5)
    for rank in on_ranks(2, signs, digits):
        assert rank["sample_diversity"] == pytest.approx(expected["sample_diversity"], rel=1e-3)
        assert rank["D_accuracy"] == pytest.approx(expected["D_accuracy"], abs=2 / 32**2)


def as_on_a_gpu(made: Trainer) -> None:
    """Let the device leave updates out by itself, and the host look only when it reports."""
    made.guard._always = made.guard.looks = False


def left_out_unseen(cfg: Config, data: Path, unseen: bool) -> dict[str, Any]:
    made = trainer(cfg, data)
    if unseen:
        as_on_a_gpu(made)
    ill(made, lambda call: call in (2, 3), rank=collectives.world_size() - 1)
    return fit(made)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
@pytest.mark.parametrize("world", [1, 2])
def test_the_device_leaves_out_what_the_host_would(digits: Path, world: int, optimizer: str) -> None:
    rhythm = ("training.checkpoint_kimg=1", "training.snapshot_kimg=1")
    cfg = config("training.guard.patience=3", f"optimizers/discriminator={optimizer}", *rhythm)
    seen, unseen = (
        on_ranks(2, left_out_unseen, cfg, digits, how)[0] if world == 2 else left_out_unseen(cfg, digits, how)
        for how in (False, True)
    )
    if optimizer == "rmsprop":  # counts its steps, and does nothing with the count
        assert same(unseen["state"]["players"]["D"]["network"], seen["state"]["players"]["D"]["network"])
    else:
        assert same(unseen["state"], seen["state"])
    assert unseen["told"] == seen["told"]
    told = "D's gradients were not finite in 2 of 3 turns: these updates are left out (2 of D so far)"
    assert unseen["warned"] == [(96, told)]


def test_after_a_fault_every_turn_is_looked_into_for_a_time(digits: Path) -> None:
    made = trainer(config(*FINE), digits)
    as_on_a_gpu(made)
    ill(made, lambda call: call in (2, 3))
    looks = []
    look = made.guard.look

    def watched() -> list[str]:
        lines = look()
        looks.append(made.guard.looks)
        return lines

    made.guard.look = watched  # type: ignore[method-assign]
    warned = [message for _, message in fit(made)["warned"]]
    assert warned[0].startswith("D's gradients were not finite in 1 of 1 turns")
    assert warned[1].startswith("D/r1 not finite, the gradient not finite in ")
    assert looks[:5] == [False, True, True, False, False]


def test_too_many_unseen_ones_in_a_row_go_back(digits: Path, tmp_path: Path) -> None:
    rhythm = ("training.checkpoint_kimg=0.128", "training.report_kimg=1", "training.snapshot_kimg=1")
    made = trainer(config("training.guard.patience=3", *rhythm), digits, tmp_path)
    as_on_a_gpu(made)
    ill(made, lambda call: call in (5, 6, 7))
    ended = fit(made)
    assert ended["error"] == ""
    assert ended["rollbacks"] == 1
    assert "D's gradients were not finite 3 times in a row; going back" in ended["warned"][-1][1]
    assert ended["state"]["nimg"] == 256


@pytest.mark.parametrize("ill_at", [(1,), (2, 3, 4)])
def test_updates_left_out_have_no_part_in_reports(digits: Path, ill_at: tuple[int, ...]) -> None:
    made = trainer(config(*FINE, "training.guard.patience=9"), digits)
    as_on_a_gpu(made)
    ill(made, lambda call: call in ill_at)
    told = fit(made)["told"]
    reports = [values for (kind, _), values in told.items() if kind == "report"]
    assert len(reports) == 8
    assert all(math.isfinite(value) for values in reports for value in values.values())
    assert ["D/r1" in values for values in reports] == [step not in ill_at for step in range(1, 9)]


def test_a_pause_finds_what_was_not_seen_and_goes_back_first(digits: Path, tmp_path: Path) -> None:
    rhythm = ("training.checkpoint_kimg=0.128", "training.report_kimg=1", "training.snapshot_kimg=1")
    made = trainer(config("training.guard.patience=2", *rhythm), digits, tmp_path, pause_at=192)
    as_on_a_gpu(made)
    ill(made, lambda call: call in (5, 6))
    ended = fit(made)
    assert ended["error"] == ""
    assert ended["rollbacks"] == 1
    assert [nimg for nimg, _ in ended["warned"]] == [128]
    assert ended["state"]["nimg"] == 192
