"""A batch in parts, one after the other: the gradients of the whole in the memory of a part, on any number of ranks."""

from pathlib import Path

import pytest
import torch

from ganflow.errors import ConfigError
from ganflow.methods.base import Batch
from ganflow.training.trainer import Trainer
from tests.support.ranks import on_ranks
from tests.training.small import config, run, same, trainer
from tests.training.test_pause import STATEFUL, weights
from tests.training.test_resume import RUNS
from tests.training.test_workers import compute_in

# Without batch statistics, or anything else that looks at several images, parts make what the whole makes.
APART = (
    "gan.generator.norm=none",
    "gan/regularizers=[r1,r2]",
    "gan/loss=relativistic",
    "optimizers.generator.lr=0.0001",
    "optimizers.discriminator.lr=0.0001",
)


def gradients(data: Path, *overrides: str) -> dict[str, list[list[float]]]:
    """Of both players in a first step, in float64."""
    torch.set_default_dtype(torch.float64)
    try:
        made = trainer(config(*APART, *overrides), data)
        compute_in(torch.float64, made)
        made.step()
    finally:
        torch.set_default_dtype(torch.float32)
    return {
        name: [p.grad.flatten().tolist() for p in player.parameters if p.grad is not None]
        for name, player in made.state.players.items()
    }


@pytest.mark.parametrize("world", [1, 2])
def test_gradients_are_those_of_the_whole_batch(digits: Path, world: int) -> None:
    whole = gradients(digits)
    overrides = (digits, "training.microbatch=8")
    parts = gradients(*overrides) if world == 1 else on_ranks(world, gradients, *overrides)[0]
    for name, each in whole.items():
        assert sum(any(one) for one in each) > 2
        for one, other in zip(each, parts[name], strict=True):
            assert other == pytest.approx(one, rel=1e-8, abs=1e-12)


def rows_at_once(made: Trainer) -> set[int]:
    """How many images each part of a step has."""
    seen: set[int] = set()
    make = made.accumulator.batch

    def watched(*arguments: object) -> Batch:
        batch = make(*arguments)  # type: ignore[arg-type]
        seen.add(len(batch.z))
        return batch

    made.accumulator.batch = watched  # type: ignore[method-assign]
    made.step()
    return seen


def test_no_more_images_than_said_are_taken_at_once(digits: Path) -> None:
    assert rows_at_once(trainer(config(), digits)) == {32}
    assert rows_at_once(trainer(config("training.microbatch=8"), digits)) == {8}
    assert rows_at_once(trainer(config("training.microbatch=1", "gan.generator.norm=none"), digits)) == {1}


@pytest.mark.parametrize("overrides", [RUNS["every kind of state"], STATEFUL], ids=["every kind", "stateful"])
def test_half_a_batch_at_once_is_what_two_workers_do(digits: Path, overrides: tuple[str, ...]) -> None:
    pair = on_ranks(2, run, config(*overrides), digits)[0]
    alone = run(config(*overrides, "training.microbatch=16"), digits)
    assert same(weights(alone), weights(pair))


def test_it_resumes_with_the_same_bits_and_on_more_workers(digits: Path, tmp_path: Path) -> None:
    cfg = config(*RUNS["dcgan with batch normalisation on both sides"], "training.microbatch=8")
    whole = run(cfg, digits, tmp_path / "whole")
    run(cfg, digits, tmp_path / "cut", cut_at=160)
    resumed = run(cfg, digits, tmp_path / "cut")
    assert 0 < resumed["start"] < 160
    assert same(resumed["state"], whole["state"])
    run(cfg, digits, tmp_path / "grown", pause_at=96)
    grown = on_ranks(2, run, cfg, digits, tmp_path / "grown")[0]
    assert grown["start"] == 96
    assert grown["told"]["report", 256] == pytest.approx(whole["told"]["report", 256], rel=1e-4)


def full(*arguments: object) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory.")


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ((), "None: 32 images at once need more memory than cpu has; set training.microbatch=16, or less"),
        (
            ("training.microbatch=1", "gan.generator.norm=none"),
            "1: one image needs more memory than cpu has; use smaller networks",
        ),
    ],
)
def test_a_batch_without_room_names_the_way_out(digits: Path, overrides: tuple[str, ...], told: str) -> None:
    made = trainer(config(*overrides), digits)
    made.accumulator.play = full  # type: ignore[assignment]
    with pytest.raises(ConfigError) as error:
        made.fit()
    assert str(error.value) == f"training.microbatch={told}"


def test_what_had_room_until_its_last_checkpoint_may_be_tried_again(digits: Path, tmp_path: Path) -> None:
    made = trainer(config(), digits, tmp_path)
    play = made.accumulator.play
    made.accumulator.play = lambda turn: full() if made.state.nimg >= 96 else play(turn)  # type: ignore[assignment,func-returns-value,return-value]
    with pytest.raises(torch.OutOfMemoryError):
        made.fit()
    made.writer.flush()
    assert run(config(), digits, tmp_path)["start"] == 64
