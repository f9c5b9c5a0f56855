"""G's turn on real images of its own, as R3GAN's authors train: whose order is a function of (seed, turn) too."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ganflow.data.prepared.dataset import Dataset
from ganflow.distributed import rng
from ganflow.methods.base import Batch, Turn
from tests.support.ranks import on_ranks
from tests.training.small import config, run, same, trainer
from tests.training.test_pause import weights

SMALL = ("gan/generator=mlp", "gan.generator.widths=[16]", "gan.discriminator.widths=[16]")
FRESH = ("gan/loss=relativistic", "gan.loss.fresh_reals=true", *SMALL)
MIRRORED = (*FRESH, "training.mirror=true", "training.d_steps=2")
N, BATCH = 1438, 32  # digits to train on


def fed(data: Path, steps: int, *overrides: str) -> list[dict[str, Any]]:
    """The real images and labels of this rank in every turn."""
    made, seen = trainer(config(*overrides), data), []
    make = made.accumulator.batch

    def watched(turn: Turn, index: int) -> Batch:
        batch = make(turn, index)
        seen.append({"player": turn.player, "real": batch.real, "labels": batch.labels, "nimg": made.state.nimg})
        return batch

    made.accumulator.batch = watched  # type: ignore[method-assign]
    for _ in range(steps):
        made.step()
    return seen


def rows_of(data: Path, turns: list[dict[str, Any]]) -> list[int]:
    """Which images of the data set these are; each is there once."""
    images = Dataset.open(data).images(np.arange(N))
    by_pixels = {image.tobytes(): row for row, image in enumerate(images)}
    assert len(by_pixels) == N
    shown = torch.cat([turn["real"] for turn in turns])
    pixels = ((shown + 1) * 127.5).round().to(torch.uint8).numpy()
    return [by_pixels[image.tobytes()] for image in pixels]


@pytest.mark.parametrize("d_steps", [1, 2])
def test_g_goes_through_all_data_in_an_order_of_its_own(digits: Path, d_steps: int) -> None:
    turns = fed(digits, -(-N // BATCH), *FRESH, f"training.d_steps={d_steps}")
    of_g, of_d = ([turn for turn in turns if turn["player"] == player] for player in "GD")
    assert [turn["nimg"] for turn in of_g] == [BATCH * d_steps * (i + 1) for i in range(len(of_g))]  # D's alone count
    rows = rows_of(digits, of_g)
    assert sorted(rows[:N]) == list(range(N))
    assert rows[:N] != rows_of(digits, of_d)[:N]
    labels = torch.cat([turn["labels"] for turn in of_g])
    assert labels.tolist() == Dataset.open(digits).labels[np.array(rows)].tolist()


def test_without_it_g_has_the_images_of_d_s_last_turn(digits: Path) -> None:
    for turns in (fed(digits, 2, "gan/loss=relativistic", *SMALL), fed(digits, 2, *SMALL)):
        for of_d, of_g in zip(turns[::2], turns[1::2], strict=True):
            assert torch.equal(of_d["real"], of_g["real"])


def test_d_s_images_are_those_of_a_run_without_it(digits: Path) -> None:
    plain, fresh = (fed(digits, 3, *SMALL, "training.mirror=true", *more) for more in ((), FRESH))
    for one, other in zip(plain[::2], fresh[::2], strict=True):
        assert torch.equal(one["real"], other["real"])


def test_ranks_share_the_same_global_batch(digits: Path) -> None:
    alone, ranks = fed(digits, 2, *MIRRORED), on_ranks(2, fed, digits, 2, *MIRRORED)
    assert len(alone) == 6
    for turn, whole in enumerate(alone):
        for name in ("real", "labels"):
            assert torch.equal(torch.cat([rank[turn][name] for rank in ranks]), whole[name]), (turn, name)


def test_a_batch_in_parts_is_what_two_workers_do(digits: Path) -> None:
    pair = on_ranks(2, run, config(*MIRRORED), digits)[0]
    alone = run(config(*MIRRORED, "training.microbatch=16"), digits)
    assert same(weights(alone), weights(pair))


def test_a_resumed_run_is_bit_identical_also_when_it_shrinks(digits: Path, tmp_path: Path) -> None:
    cfg = config(*MIRRORED, "cluster.workers=[1,2]")
    whole = run(cfg, digits, tmp_path / "whole")
    run(cfg, digits, tmp_path / "cut", 160)
    resumed = run(cfg, digits, tmp_path / "cut")
    assert 0 < resumed["start"] <= 160
    assert same(resumed["state"], whole["state"])
    on_ranks(2, run, cfg, digits, tmp_path / "shrunk", None, 160)
    shrunk = run(cfg, digits, tmp_path / "shrunk")
    assert shrunk["start"] > 0
    assert same(weights(shrunk), weights(whole))


SGD = [f"optimizers/{side}=sgd" for side in ("generator", "discriminator")]
LOOP = (*FRESH, "gan/regularizers=[]", "training.d_steps=2", *SGD)


def of_order(data: Dataset, seed: int, first: int) -> tuple[Tensor, Tensor]:
    """The batch from this image of an order of the data on; it does not leave the first epoch."""
    rows = rng.permute(seed, 0, N, np.arange(first, first + BATCH))
    return torch.from_numpy(data.images(rows)).double() / 127.5 - 1, torch.from_numpy(data.labels[rows])


def by_hand(G: nn.Module, D: nn.Module, data: Dataset, steps: int) -> None:
    """Two turns of D and one of G in each step, by gradient descent."""
    seen = 0
    for step in range(steps):
        for _ in range(2):
            x, y = of_order(data, 0, seen)
            z = torch.from_numpy(rng.normal(0, "z-D", seen, BATCH, 64)).double()
            move(D, softplus(D(G(z, y).detach(), y) - D(x, y)).mean())
            seen += BATCH
        x, y = of_order(data, rng.derive(0, "real", "G"), step * BATCH)
        z = torch.from_numpy(rng.normal(0, "z-G", seen - BATCH, BATCH, 64)).double()
        move(G, softplus(D(x, y) - D(G(z, y), y)).mean())


def move(network: nn.Module, loss: Tensor) -> None:
    weights = list(network.parameters())
    for weight, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
        weight.data -= 0.01 * slope


def test_training_is_that_of_a_loop_by_hand(digits: Path) -> None:
    made = trainer(config(*LOOP), digits)
    G, D = (copy.deepcopy(made.state.players[name].network).double() for name in "GD")
    before = copy.deepcopy(G.state_dict())
    by_hand(G, D, Dataset.open(digits), 4)
    for _ in range(4):
        made.step()
    for name, network in (("G", G), ("D", D)):
        trained = made.state.players[name].network.double().state_dict()
        torch.testing.assert_close(trained, network.state_dict(), rtol=1e-4, atol=1e-6)
    moved = [(G.state_dict()[key] - start).abs().max() for key, start in before.items()]
    assert max(moved) > 1e-3
