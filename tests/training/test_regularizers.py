"""The hooks of regularisers in a short training, and their state over a stop."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganflow.distributed.rng import RandomStream
from ganflow.methods.regularizers.gradient_clipping import GradientClipping
from ganflow.methods.regularizers.instance_noise import InstanceNoise
from ganflow.methods.regularizers.weight_clipping import WeightClipping
from tests.support.ranks import on_ranks
from tests.training.small import config, run, same, trainer
from tests.training.test_pause import weights

SMALL = ("gan/generator=mlp", "gan.generator.widths=[16]", "gan.discriminator.widths=[16]")


def test_clipping_bounds_d_s_weights_and_both_players_gradients(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    clip, adjust = WeightClipping.constrain_discriminator, GradientClipping.adjust_gradients

    def clipping(self: WeightClipping, parameters: Sequence[nn.Parameter]) -> None:
        clip(self, parameters)
        called.append("weights")

    def adjusting(self: GradientClipping, parameters: Sequence[nn.Parameter]) -> None:
        adjust(self, parameters)
        norm = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None]).norm()
        called.append("gradients" if norm <= 0.001001 else f"gradients of norm {norm}")

    monkeypatch.setattr(WeightClipping, "constrain_discriminator", clipping)
    monkeypatch.setattr(GradientClipping, "adjust_gradients", adjusting)
    chosen = "gan/regularizers=[weight_clipping,gradient_clipping]"
    made = trainer(config(chosen, "gan.regularizers.gradient_clipping.max_norm=0.001", *SMALL), digits)
    for _ in range(2):
        made.step()
        assert max(float(p.detach().abs().max()) for p in made.state.players["D"].parameters) <= 0.01 + 1e-8
        assert max(float(p.detach().abs().max()) for p in made.state.players["G"].parameters) > 0.01
    assert called == 2 * ["gradients", "weights", "gradients"]


def test_noise_is_told_of_the_images_seen(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, str]] = []

    def perturb(self: InstanceNoise, images: Tensor, draw: RandomStream, nimg: int) -> Tensor:
        told.append((nimg, draw.stream))
        return images

    monkeypatch.setattr(InstanceNoise, "perturb", perturb)
    made = trainer(config("gan/regularizers=[instance_noise]", *SMALL), digits)
    made.step()
    made.step()
    turn = ("D/judge-1", "D/judge-2", "G/judge-1")
    assert told == [(nimg, stream) for nimg in (0, 32) for stream in turn]


def test_a_lazy_penalty_shares_the_step_of_its_turn_so_rates_and_betas_stay(digits: Path) -> None:
    """StyleGAN2's k/(k + 1) is for a step of the penalty's own beside the k of the loss."""
    lazy = ("gan/regularizers=[r1,path_length]", "gan.regularizers.r1.interval=16", "gan/generator=stylegan2")
    rates = [f"optimizers.{side}.{option}" for side in ("generator", "discriminator") for option in ("lr", "betas")]
    values = ("0.002", "[0.0,0.99]", "0.0025", "[0.5,0.9]")
    small = ("gan.generator.width=4", *map("=".join, zip(rates, values, strict=True)))
    players = trainer(config(*lazy, *small), digits).state.players
    built = {name: (p.rate, p.optimizer.param_groups[0]["betas"]) for name, p in players.items()}
    assert built == {"G": (0.002, (0.0, 0.99)), "D": (0.0025, (0.5, 0.9))}


def test_lecam_starts_after_steps_of_both_players(digits: Path) -> None:
    made = trainer(
        config("gan/regularizers=[lecam]", "gan.regularizers.lecam.start=2", "training.d_steps=2", *SMALL), digits
    )
    take, told = made.accumulator.play, []
    made.accumulator.play = lambda turn: told.append(take(turn)) or told[-1]  # type: ignore[method-assign,func-returns-value]
    for _ in range(3):
        made.step()
    assert ["lecam" in terms for terms in told] == [*[False] * 6, True, True, False]


OWN_TURN = (
    "gan/regularizers=[path_length,lecam]",
    "gan.regularizers.path_length.interval=2",
    "gan.regularizers.lecam.start=0",
    "gan/generator=stylegan2",
    "gan.generator.width=4",
    "gan.discriminator.widths=[16]",
)


def test_averages_that_hold_a_part_s_own_turn_are_the_same_whoever_plays_it(digits: Path) -> None:
    pair = on_ranks(2, run, config(*OWN_TURN), digits)
    alone = run(config(*OWN_TURN, "training.microbatch=16"), digits)
    for rank in pair:
        assert same(weights(rank), weights(alone))
    assert alone["state"]["modules"]["path_length.average"] > 0


STATEFUL = (
    "gan/regularizers=[lecam,consistency,gradient_penalty,dragan,instance_noise,r2]",
    "gan.regularizers.lecam.start=3",
    *SMALL,
)


def test_a_stopped_training_goes_on_to_the_same_bits(digits: Path, tmp_path: Path) -> None:
    cfg = config(*STATEFUL)
    whole = run(cfg, digits, tmp_path / "whole")
    run(cfg, digits, tmp_path / "cut", cut_at=200)
    again = run(cfg, digits, tmp_path / "cut")
    assert 0 < again["start"] < 256
    assert same(again["state"], whole["state"])
    assert whole["state"]["modules"]["lecam.anchors"].abs().min() > 0
