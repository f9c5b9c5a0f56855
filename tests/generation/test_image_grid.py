import io

import numpy as np
import pytest
from PIL import Image

from ganflow.errors import ConfigError
from ganflow.generation import image_grid


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


CENTRES = [[-4.0, -4.0], [0.0, 0.0], [4.0, 4.0]]
WHITE, CENTRE, POINT = [255, 255, 255], list(image_grid._CENTRE), list(image_grid._POINT)


def pixel(x: float, y: float) -> tuple[int, int]:
    """Row and column of a place: the centres' extent of ±4 and a quarter of it around them make ±6; y grows upward."""
    return round((6 - y) / 12 * (image_grid.PLANE - 1)), round((x + 6) / 12 * (image_grid.PLANE - 1))


def test_points_lie_where_they_are_over_the_centres() -> None:
    canvas = decode(image_grid.scatter(np.array([[1.0, 3.0], [4.0, 4.0]], np.float32), CENTRES))
    assert canvas.shape == (image_grid.PLANE, image_grid.PLANE, 3)
    assert canvas[pixel(1, 3)].tolist() == POINT
    assert canvas[pixel(3, 1)].tolist() == WHITE
    for x, y in CENTRES[:2]:
        assert canvas[pixel(x, y)].tolist() == CENTRE
    assert canvas[pixel(4, 4)].tolist() == POINT  # a point covers its centre
    assert (canvas == POINT).all(2).sum() == 2 * 9
    assert (canvas == CENTRE).all(2).sum() == 3 * 81 - 9


def test_points_outside_lie_on_the_border() -> None:
    canvas = decode(image_grid.scatter(np.array([[1e9, 0.0], [0.0, -7.0]], np.float32), CENTRES))
    assert canvas[pixel(6, 0)].tolist() == canvas[pixel(0, -6)].tolist() == POINT


def test_without_centres_the_points_themselves_say_what_is_shown() -> None:
    points = np.random.default_rng(0).normal(3, 1, (50, 2)).astype(np.float32)
    canvas = decode(image_grid.scatter(points))
    assert (canvas == POINT).all(2).sum() > 300
    assert not (canvas == CENTRE).all(2).any()
    rows, columns = np.nonzero((canvas == POINT).all(2))
    assert 0 < min(rows.min(), columns.min()) < max(rows.max(), columns.max()) < image_grid.PLANE - 1
    assert (decode(image_grid.scatter(points[:1])) == POINT).all(2).sum() == 9  # one point has no extent


def test_a_picture_is_a_grid_of_images_and_a_scatter_of_points() -> None:
    assert image_grid.picture(draw(6, 8, 8, 3), columns=2) == image_grid.grid(draw(6, 8, 8, 3), columns=2)
    points = np.zeros((1, 2), np.float32)
    assert image_grid.picture(points, CENTRES, columns=10) == image_grid.scatter(points, CENTRES)


@pytest.mark.parametrize("bad", [np.zeros((0, 2)), np.zeros((3, 3)), np.full((1, 2), np.nan)], ids=repr)
def test_other_points_are_refused_in_one_line(bad: np.ndarray) -> None:
    with pytest.raises(ConfigError, match=r"points=.*: must be finite \(n, 2\), n at least 1"):
        image_grid.scatter(bad)
