"""One worker and several see the same images, latents and flips, and train to the same losses."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ganflow.methods.base import Batch, Turn
from ganflow.training.events import Event, Report
from ganflow.training.trainer import Trainer
from tests.support.ranks import on_ranks
from tests.training.small import config, trainer
from tests.training.test_resume import RUNS

pytestmark = pytest.mark.slow

NO_BATCH_NORM = ("gan.generator.norm=none", "training.mirror=true")
STEPS = 50


def batches(data: Path) -> list[dict[str, Any]]:
    """What this rank feeds in three steps."""
    made = trainer(config(*NO_BATCH_NORM), data)
    fed: list[dict[str, Any]] = []
    made_batch = made.accumulator.batch

    def watched(turn: Turn, index: int) -> Batch:
        batch = made_batch(turn, index)
        noise = {"noise": batch.draw.normal("any", 2)}
        fed.append({name: getattr(batch, name) for name in ("real", "labels", "z", "z_labels")} | noise)
        return batch

    made.accumulator.batch = watched  # type: ignore[method-assign]
    for _ in range(3):
        made.step()
    return fed


@pytest.mark.parametrize("world", [2, 4])
def test_workers_share_the_same_global_batch(digits: Path, world: int) -> None:
    alone, ranks = batches(digits), on_ranks(world, batches, digits)
    assert len(alone) == 6
    for turn, whole in enumerate(alone):
        for name, rows in whole.items():
            assert torch.equal(torch.cat([rank[turn][name] for rank in ranks]), rows), (turn, name)


def losses(data: Path, dtype: torch.dtype, *overrides: str) -> list[dict[str, float]]:
    """The terms of 50 steps at the recipe's learning rates, one report per step."""
    rhythm = ["training.batch=64", "training.kimg=3.2", "training.report_kimg=0.064", "training.snapshot_kimg=10"]
    torch.set_default_dtype(dtype)
    try:
        told: list[Event] = []
        every = ("training.checkpoint_kimg=10", "training.overhead=null")  # a busy machine leaves out no report
        cfg = config(*(overrides or NO_BATCH_NORM), *rhythm, *every)
        made = trainer(cfg, data, listener=told.append)
        compute_in(dtype, made)
        made.preview = lambda model: b""  # of what is given in float32
        made.fit()
    finally:
        torch.set_default_dtype(torch.float32)
    reports = [event.metrics for event in told if isinstance(event, Report)]
    return [{k: v for k, v in metrics.items() if "/" in k} for metrics in reports]


def compute_in(dtype: torch.dtype, made: Trainer) -> None:
    """The same numbers, in another precision."""
    made_batch = made.accumulator.batch

    def cast(turn: Turn, index: int) -> Batch:
        batch = made_batch(turn, index)
        given, hidden = (None if part is None else part.to(dtype) for part in (batch.given, batch.hidden))
        return replace(batch, real=batch.real.to(dtype), z=batch.z.to(dtype), given=given, hidden=hidden)

    made.accumulator.batch = cast  # type: ignore[method-assign]


# In float32 sums in another order differ in the last bit; float64 shows that nothing else does.
@pytest.mark.parametrize(("dtype", "within"), [(torch.float32, 1e-4), (torch.float64, 1e-10)], ids=str)
def test_two_workers_train_to_the_losses_of_one(digits: Path, dtype: torch.dtype, within: float) -> None:
    alone, pair = losses(digits, dtype), on_ranks(2, losses, digits, dtype)[0]
    assert len(alone) == len(pair) == STEPS
    for step, (one, two) in enumerate(zip(alone, pair, strict=True)):
        assert set(one) == {"D/adversarial", "D/r1", "G/adversarial"}
        assert two == pytest.approx(one, abs=within), step


TERMS = {
    "restoration": {"D/adversarial", "D/r1", "G/adversarial", "G/l1", "G/masked_l1"},
    "regression": {"G/ssim"},
    "f-AnoGAN": {"D/adversarial", "D/r1", "G/adversarial", "E/pixels", "E/features"},
    "GANomaly": {"D/adversarial", "D/r1", "G/pixels", "G/features", "G/codes"},
}

BATCH_NORM = {"f-AnoGAN", "GANomaly"}  # in which a batch on one worker is another one than its halves on two


@pytest.mark.parametrize("name", TERMS)
def test_two_workers_restore_and_detect_as_one_does(digits: Path, name: str) -> None:
    overrides = (*RUNS[name], *(["gan.generator.norm=none"] if name in BATCH_NORM else []))
    alone = losses(digits, torch.float64, *overrides)
    pair = on_ranks(2, losses, digits, torch.float64, *overrides)[0]
    assert len(alone) == len(pair) == STEPS
    for step, (one, two) in enumerate(zip(alone, pair, strict=True)):
        assert set(one) == TERMS[name]
        assert two == pytest.approx(one, abs=1e-9), step
