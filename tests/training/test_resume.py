"""A run that is cut off anywhere and started again ends as if nothing had happened."""

from pathlib import Path

import pytest

from tests.support.ranks import on_ranks
from tests.training.small import config, run, same

pytestmark = pytest.mark.slow

RESTORES = (
    "given=[noise,hole]", "gan/generator=edsr", "gan.generator.blocks=1", "gan.generator.width=4", "gan.latent_dim=0",
    "gan.conditioning=none",
)  # fmt: skip
RUNS = {
    "plain": (),
    "every kind of state": (
        "gan/discriminator=mlp",
        "gan.discriminator.dropout=0.3",
        "gan.regularizers.r1.interval=3",
        "training.d_steps=2",
        "training.mirror=true",
        "optimizers/generator=rmsprop",
    ),
    "dcgan with batch normalisation on both sides": (
        "gan/discriminator=dcgan",
        "gan.discriminator.width=4",
        "gan.discriminator.norm=batch",
        "gan.generator.width=4",
        "gan.regularizers.r1.gamma=0.01",
    ),
    "unconditional": ("gan.conditioning=none", "gan/loss=minimax"),
    "spectral normalisation": ("gan.discriminator.spectral_norm=true",),
    "restoration": (*RESTORES, "gan/content=[l1,masked_l1]", "gan/discriminator=patch", "gan.discriminator.width=4",
                    "gan.discriminator.sees_given=true", "training.mirror=true"),
    "regression": (*RESTORES, "method=regression", "gan/content=[ssim]"),
    "f-AnoGAN": ("method=f_anogan", "gan.conditioning=none", "gan.generator.width=4", "detection.encoder.width=4"),
    "GANomaly": ("method=ganomaly", "gan.conditioning=none", "gan.generator.width=4", "detection.encoder.width=4"),
}  # fmt: skip


@pytest.mark.parametrize("overrides", RUNS.values(), ids=RUNS.keys())
@pytest.mark.parametrize("cut_at", [32, 96, 160, 224])
def test_resumed_run_is_bit_identical(digits: Path, tmp_path: Path, overrides: tuple[str, ...], cut_at: int) -> None:
    cfg = config(*overrides)
    whole = run(cfg, digits, tmp_path / "whole")
    cut = run(cfg, digits, tmp_path / "cut", cut_at)
    resumed = run(cfg, digits, tmp_path / "cut")
    assert resumed["start"] == cut_at // 64 * 64 or "d_steps" in str(overrides)
    assert resumed["start"] <= cut_at
    assert same(resumed["state"], whole["state"])
    later = {key: told for key, told in whole["told"].items() if key[1] > resumed["start"]}
    assert resumed["told"] == later
    assert cut["told"].items() <= whole["told"].items()


def test_two_ranks_resume_bit_identical(digits: Path, tmp_path: Path) -> None:
    cfg = config(*RUNS["every kind of state"])
    whole = on_ranks(2, run, cfg, digits, tmp_path / "whole")
    on_ranks(2, run, cfg, digits, tmp_path / "cut", 160)
    resumed = on_ranks(2, run, cfg, digits, tmp_path / "cut")
    assert resumed[0]["start"] == 128
    for rank in (0, 1):
        assert same(resumed[rank]["state"], whole[rank]["state"])
    assert same(whole[0]["state"], whole[1]["state"])


def test_a_run_goes_on_with_another_number_of_ranks(digits: Path, tmp_path: Path) -> None:
    cfg = config("gan/generator=mlp", "gan.generator.widths=[32]")
    whole = run(cfg, digits, tmp_path / "whole")
    run(cfg, digits, tmp_path / "cut", 160)
    resumed = on_ranks(2, run, cfg, digits, tmp_path / "cut")
    assert resumed[0]["start"] == 128
    for key, told in resumed[0]["told"].items():
        if key[0] == "report":
            assert told == pytest.approx(whole["told"][key], abs=1e-4)
