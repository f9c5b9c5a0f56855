import io

import numpy as np
import pytest
from PIL import Image

from ganflow.errors import ConfigError
from ganflow.signals import image_grid


def decode(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, 5, 64])
def test_every_image_stands_enlarged_in_its_place(channels: int, count: int) -> None:
    batch = draw(count, 8, 6, channels)
    canvas = decode(image_grid.grid(batch, columns=4, scale=3)).reshape(
        -1, 4 * (18 + image_grid.GAP) + image_grid.GAP, channels
    )
    for i, image in enumerate(batch):
        top, left = i // 4 * (24 + image_grid.GAP) + image_grid.GAP, i % 4 * (18 + image_grid.GAP) + image_grid.GAP
        np.testing.assert_array_equal(canvas[top : top + 24 : 3, left : left + 18 : 3], image)
        np.testing.assert_array_equal(canvas[top + 2 : top + 24 : 3, left + 2 : left + 18 : 3], image)


def test_small_images_are_legible_and_large_ones_left_alone() -> None:
    gaps = 2 * image_grid.GAP
    assert decode(image_grid.grid(draw(1, 8, 8, 1))).shape == (48 + gaps, 48 + gaps)
    assert decode(image_grid.grid(draw(1, 64, 64, 3))).shape == (64 + gaps, 64 + gaps, 3)


def test_without_columns_the_grid_is_as_square_as_it_can_be() -> None:
    height, width = decode(image_grid.grid(draw(64, 8, 8, 1))).shape
    assert height == width
    height, width = decode(image_grid.grid(draw(2, 8, 8, 1))).shape
    assert width > height


def test_same_images_same_bytes() -> None:
    assert image_grid.grid(draw(5, 8, 8, 3)) == image_grid.grid(draw(5, 8, 8, 3))


@pytest.mark.parametrize(
    "bad", [draw(0, 8, 8, 1), draw(2, 8, 8), draw(2, 8, 8, 2), draw(2, 8, 8, 1).astype(np.float32)], ids=repr
)
def test_other_arrays_are_refused_in_one_line(bad: np.ndarray) -> None:
    with pytest.raises(ConfigError, match=r"images=.*must be uint8 \(n, H, W, C\)"):
        image_grid.grid(bad)


@pytest.mark.parametrize(("name", "wrong"), [("columns", {"columns": 0}), ("scale", {"scale": -1})])
def test_factors_are_positive(name: str, wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=f"{name}=.*at least 1"):
        image_grid.grid(draw(1, 8, 8, 1), **wrong)
