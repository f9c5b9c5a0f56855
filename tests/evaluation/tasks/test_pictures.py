"""Pairs stand above each other, and a way keeps its class and its ends."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from ganflow.errors import ConfigError
from ganflow.evaluation.tasks.pictures import BAND_GAP, COLUMNS, closest_pairs, interpolation
from ganflow.methods.generator import Generator, GeneratorSpec
from ganflow.signals.image_grid import GAP, GAP_GREY

SIZE = 48  # large enough to be shown as it is
CELL = SIZE + GAP
SPEC = GeneratorSpec({"name": "made"}, 8, (3, SIZE, SIZE), 3, ["cat", "dog", "owl"])


class Flat(nn.Module):
    """Images of one colour: two numbers of z and the class."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        kind = torch.zeros(len(z)) if labels is None else labels / 4
        return torch.stack([z[:, 0].tanh(), z[:, 1].tanh(), kind], 1)[..., None, None].expand(-1, -1, SIZE, SIZE)


def decode(data: bytes | None) -> np.ndarray:
    assert data is not None
    return np.asarray(Image.open(io.BytesIO(data)))


def draw(count: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, SIZE, SIZE, channels), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, COLUMNS, COLUMNS + 3])
def test_each_sample_stands_above_its_original(count: int, channels: int) -> None:
    samples, originals = draw(count, channels), draw(count, channels, seed=1)
    canvas = decode(closest_pairs(samples, originals))
    canvas = canvas.reshape(*canvas.shape[:2], channels)
    band = 2 * CELL + GAP
    for i in range(count):
        top, left = i // COLUMNS * (band + BAND_GAP) + GAP, i % COLUMNS * CELL + GAP
        np.testing.assert_array_equal(canvas[top : top + SIZE, left : left + SIZE], samples[i])
        np.testing.assert_array_equal(canvas[top + CELL : top + CELL + SIZE, left : left + SIZE], originals[i])
    bands = -(-count // COLUMNS)
    assert canvas.shape[0] == bands * band + (bands - 1) * BAND_GAP
    if bands > 1:
        assert (canvas[band : band + BAND_GAP] == GAP_GREY).all()


def test_pairs_that_do_not_fit_are_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"originals=\(2, 48, 48, 3\): must be \(3, 48, 48, 3\), as the samples"):
        closest_pairs(draw(3), draw(2))
    with pytest.raises(ConfigError, match=r"images=.*n at least 1"):
        closest_pairs(draw(0), draw(0))


@pytest.mark.parametrize("classes", [0, 3])
def test_a_row_goes_from_a_sample_to_its_end_and_keeps_its_class(classes: int) -> None:
    generator = Generator(Flat(), replace(SPEC, num_classes=classes))
    canvas = decode(interpolation(generator, rows=4, steps=5, seed=7))
    cells = canvas[GAP + 1 :: CELL, GAP + 1 :: CELL]
    assert cells.shape == (4, 5, 3)
    np.testing.assert_array_equal(cells[:, 0], generator.sample(4, 7)[:, 0, 0])
    ends = generator.path(7, 0, 4, torch.ones(4))
    np.testing.assert_array_equal(
        cells[:, -1], SPEC.signal.stored(generator.draw(ends, generator.labels(0, 4, None)))[..., 0, 0]
    )
    middle = generator.path(7, 0, 4, torch.full((4,), 0.25))
    np.testing.assert_array_equal(cells[:, 1, :2], SPEC.signal.stored(generator.draw(middle, None))[:, :2, 0, 0])
    for i, row in enumerate(cells):
        assert set(row[:, 2]) == {128 + int(127.5 * (i % classes) / 4) if classes else 128}


def test_the_same_seed_gives_the_same_bytes_and_points_give_none() -> None:
    generator = Generator(Flat(), SPEC)
    assert interpolation(generator) == interpolation(generator) != interpolation(generator, seed=1)
    assert decode(interpolation(generator)).shape == (8 * CELL + GAP, 9 * CELL + GAP, 3)
    assert interpolation(Generator(Flat(), replace(SPEC, kind="points"))) is None
