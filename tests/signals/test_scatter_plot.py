import numpy as np
import pytest

from ganflow.errors import ConfigError
from ganflow.signals import scatter_plot
from tests.signals.test_image_grid import decode

CENTRES = [[-4.0, -4.0], [0.0, 0.0], [4.0, 4.0]]
WHITE, CENTRE, POINT = [255, 255, 255], list(scatter_plot._CENTRE), list(scatter_plot._POINT)


def pixel(x: float, y: float) -> tuple[int, int]:
    """Row and column of a place: the centres' extent of ±4 and a quarter of it around them make ±6; y grows upward."""
    return round((6 - y) / 12 * (scatter_plot.PLANE - 1)), round((x + 6) / 12 * (scatter_plot.PLANE - 1))


def test_points_lie_where_they_are_over_the_centres() -> None:
    canvas = decode(scatter_plot.scatter(np.array([[1.0, 3.0], [4.0, 4.0]], np.float32), CENTRES))
    assert canvas.shape == (scatter_plot.PLANE, scatter_plot.PLANE, 3)
    assert canvas[pixel(1, 3)].tolist() == POINT
    assert canvas[pixel(3, 1)].tolist() == WHITE
    for x, y in CENTRES[:2]:
        assert canvas[pixel(x, y)].tolist() == CENTRE
    assert canvas[pixel(4, 4)].tolist() == POINT  # a point covers its centre
    assert (canvas == POINT).all(2).sum() == 2 * 9
    assert (canvas == CENTRE).all(2).sum() == 3 * 81 - 9


def test_points_outside_lie_on_the_border() -> None:
    canvas = decode(scatter_plot.scatter(np.array([[1e9, 0.0], [0.0, -7.0]], np.float32), CENTRES))
    assert canvas[pixel(6, 0)].tolist() == canvas[pixel(0, -6)].tolist() == POINT


def test_without_centres_the_points_themselves_say_what_is_shown() -> None:
    points = np.random.default_rng(0).normal(3, 1, (50, 2)).astype(np.float32)
    canvas = decode(scatter_plot.scatter(points))
    assert (canvas == POINT).all(2).sum() > 300
    assert not (canvas == CENTRE).all(2).any()
    rows, columns = np.nonzero((canvas == POINT).all(2))
    assert 0 < min(rows.min(), columns.min()) < max(rows.max(), columns.max()) < scatter_plot.PLANE - 1
    assert (decode(scatter_plot.scatter(points[:1])) == POINT).all(2).sum() == 9  # one point has no extent


@pytest.mark.parametrize("bad", [np.zeros((0, 2)), np.zeros((3, 3)), np.full((1, 2), np.nan)], ids=repr)
def test_other_points_are_refused_in_one_line(bad: np.ndarray) -> None:
    with pytest.raises(ConfigError, match=r"points=.*: must be finite \(n, 2\), n at least 1"):
        scatter_plot.scatter(bad)
