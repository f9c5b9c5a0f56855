import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ganflow.config import components
from ganflow.distributed.rng import RandomStream
from ganflow.errors import ConfigError
from ganflow.methods.augment.diffaugment import DiffAugment, color, cutout, translation

CPU = torch.device("cpu")


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def uniforms(n: int, columns: int) -> Tensor:
    return RandomStream(3, "test", 0, n, CPU).uniform("u", columns).double()


def steps(choices: int) -> list[float]:
    """A uniform draw from the middle of each of so many equal parts."""
    return [(k + 0.5) / choices for k in range(choices)]


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_color_is_brightness_saturation_and_contrast_of_each_image(channels: int) -> None:
    x, u = images(6, channels, 4, 5), uniforms(6, 3)
    expected = []
    for image, (b, s, c) in zip(x.numpy(), u.numpy(), strict=True):
        seen = image + (b - 0.5)
        if channels == 3:
            seen = seen.mean(0) + 2 * s * (seen - seen.mean(0))
        expected.append(seen.mean() + (0.5 + c) * (seen - seen.mean()))
    np.testing.assert_allclose(color(x, u).numpy(), np.stack(expected), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("height", "width", "reach"), [(4, 4, 1), (8, 8, 1), (9, 5, 1), (12, 16, 2), (28, 28, 4)])
def test_translation_moves_by_every_whole_step_up_to_an_eighth_and_pads_zeros(
    height: int, width: int, reach: int
) -> None:
    down, right = (int(size / 8 + 0.5) for size in (height, width))
    assert down == reach
    u = torch.tensor(list(itertools.product(steps(2 * down + 1), steps(2 * right + 1))), dtype=torch.float64)
    x = images(len(u), 2, height, width)
    moves = itertools.product(range(-down, down + 1), range(-right, right + 1))
    for image, seen, (dy, dx) in zip(x.numpy(), translation(x, u).numpy(), moves, strict=True):
        padded = np.pad(image, ((0, 0), (down, down), (right, right)))
        assert np.array_equal(seen, padded[:, down - dy :, right - dx :][:, :height, :width]), (dy, dx)


@pytest.mark.parametrize(("height", "width"), [(4, 4), (5, 5), (8, 7), (6, 10)])
def test_cutout_zeroes_half_the_side_around_every_place(height: int, width: int) -> None:
    tall, wide = math.floor(height / 2 + 0.5), math.floor(width / 2 + 0.5)
    places = list(itertools.product(range(height + 1 - tall % 2), range(width + 1 - wide % 2)))
    u = torch.tensor(list(itertools.product(steps(height + 1 - tall % 2), steps(width + 1 - wide % 2))))
    x = images(len(u), 2, height, width)
    for image, seen, (row, column) in zip(x.numpy(), cutout(x, u).numpy(), places, strict=True):
        expected = image.copy()
        top, left = row - tall // 2, column - wide // 2
        expected[:, max(0, top) : top + tall, max(0, left) : left + wide] = 0
        assert np.array_equal(seen, expected), (row, column)


def test_policies_follow_one_another_as_listed_each_by_numbers_of_its_own() -> None:
    x, draw = images(5, 3, 8, 8), RandomStream(0, "D/judge-1", 10, 5, CPU)
    u = {name: draw.uniform(name, 3 if name == "color" else 2).double() for name in ("color", "translation", "cutout")}
    whole = cutout(translation(color(x, u["color"]), u["translation"]), u["cutout"])
    torch.testing.assert_close(DiffAugment()(x, draw), whole, rtol=0, atol=0)
    torch.testing.assert_close(DiffAugment(["cutout", "color"])(x, draw), color(cutout(x, u["cutout"]), u["color"]))


@pytest.mark.parametrize("policy", [["tint"], [], ["color", "color"]])
def test_policies_that_do_not_exist_are_refused_in_one_line(policy: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        components.build("augmentation", {"name": "diffaugment", "policy": policy}, "gan.augmentation")
    assert str(refused.value) == f"gan.augmentation.policy={policy}: one or more of color, translation, cutout"
