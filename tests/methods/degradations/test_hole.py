import numpy as np
import pytest
import torch

from ganflow.errors import ConfigError
from ganflow.methods.degradations.hole import SEGMENTS, STROKES, Hole, _corners, _distance
from tests.methods.degradations.pixels import draws, images, photo

N = 200
KINDS = ["box", "half", "irregular"]
SIZES = [(32, 32), (9, 20), (2, 2), (31, 4)]


def masks(hole: Hole, height: int, width: int, count: int = N) -> np.ndarray:
    return hole(torch.ones(count, 1, height, width), draws(count))[:, -1].numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_hidden_pixels_are_grey_and_marked_and_the_others_stay(kind: str) -> None:
    clean = images(photo(), photo()[::-1].copy())
    given = Hole(kind)(clean, draws(2))
    assert given.shape == (2, *Hole(kind).shape(tuple(clean.shape[1:])))
    pixels, mask = given[:, :3], given[:, 3:]
    assert mask.unique().tolist() == [0, 1]
    assert torch.equal(pixels, clean * (1 - mask))


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("share", [0.13, 0.25, 0.5, 0.87])
def test_a_box_is_a_rectangle_of_the_share(height: int, width: int, share: float) -> None:
    for mask in masks(Hole("box", share), height, width):
        rows, columns = mask.any(1).nonzero()[0], mask.any(0).nonzero()[0]
        assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert 0 < mask.sum() < height * width
        # Of boxes of its height, the one whose area is nearest, or as much of it as leaves a pixel visible.
        nearest = abs(mask.sum() - round(share * height * width)) <= len(rows) / 2
        assert nearest or (len(rows) == height and len(columns) == width - 1)


def test_boxes_are_anywhere_and_of_many_forms() -> None:
    hidden = masks(Hole("box"), 32, 32)
    assert len({(mask.any(1).sum(), mask.any(0).sum()) for mask in hidden}) > 5
    assert hidden.any(0).mean() > 0.98
    assert hidden.mean(0).max() < 0.75


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_half_is_one_of_four(height: int, width: int) -> None:
    upper, left = np.zeros((height, width)), np.zeros((height, width))
    upper[: height // 2], left[:, : width // 2] = 1, 1
    halves = [half.tobytes() for half in (upper, 1 - upper, left, 1 - left)]
    drawn = [mask.astype(float).tobytes() for mask in masks(Hole("half"), height, width)]
    assert [drawn.count(half) > N / 8 for half in halves] == [True] * 4
    assert set(drawn) <= set(halves)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("share", [0.13, 0.25, 0.7])
def test_free_form_strokes_hide_just_the_share(height: int, width: int, share: float) -> None:
    hidden = masks(Hole("irregular", share), height, width)
    assert (hidden.sum((1, 2)) == round(share * height * width)).all()
    assert len({mask.tobytes() for mask in hidden}) > 1


def test_strokes_are_where_the_distance_to_their_segments_is_least() -> None:
    down, across = (_corners(draws(3).uniform(name, STROKES, SEGMENTS + 1)) for name in ("down", "across"))
    assert down.min() >= 0
    assert down.max() <= 1
    distances = _distance(down * 6, across * 9, 6, 9).numpy()
    at = np.linspace(0, 1, 4001)
    for n, y, x in [(0, 0, 0), (1, 5, 8), (2, 3, 4), (0, 2, 7)]:
        ways = [
            (from_y + at * (to_y - from_y)) * 6 - y - 0.5 + 1j * ((from_x + at * (to_x - from_x)) * 9 - x - 0.5)
            for stroke in range(STROKES)
            for from_y, to_y, from_x, to_x in zip(
                down[n, stroke, :-1].tolist(), down[n, stroke, 1:].tolist(),
                across[n, stroke, :-1].tolist(), across[n, stroke, 1:].tolist(), strict=True,
            )
        ]  # fmt: skip
        assert distances[n, y, x] ** 0.5 == pytest.approx(np.abs(ways).min(), abs=2e-3)


def test_the_simple_method_fills_in_the_mean_of_what_is_visible() -> None:
    clean = images(photo(24, 40), photo(24, 40)[::-1].copy())
    filled = Hole().simple(Hole()(clean, draws(2)))
    for image, mask, of_it in zip(clean.numpy(), masks(Hole(), 24, 40, 2) > 0, filled.numpy(), strict=True):
        means = image[:, ~mask].mean(1)
        np.testing.assert_allclose(of_it, np.where(mask, means[:, None, None], image), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"kind": "round"}, "kind=round: one of box, half, irregular"),
        ({"share": 0.0}, "share=0.0: more than 0, less than 1"),
        ({"share": 1.0}, "share=1.0: more than 0, less than 1"),
        ({"kind": "half", "share": 0.5}, "share=0.5: is not for kind=half; leave it out"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, str | float], line: str) -> None:
    with pytest.raises(ConfigError, match=f"^{line}$"):
        Hole(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("share", "shape"), [(0.01, (1, 4, 4)), (0.99, (1, 4, 4)), (0.25, (1, 1, 9))])
def test_some_pixels_are_hidden_and_some_are_not(share: float, shape: tuple[int, int, int]) -> None:
    size = f"{shape[2]}x{shape[1]}"
    with pytest.raises(ConfigError, match=f"^share={share}: hides none or all of the pixels of images of {size}$"):
        Hole(share=share).shape(shape)
