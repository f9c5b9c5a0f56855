import numpy as np
import pytest
import torch

from ganflow.distributed.rng import RandomStream
from ganflow.errors import ConfigError
from ganflow.methods.degradations.defects import Defects

N = 300


def changed(strength: float = 0.6, share: float = 1.0) -> torch.Tensor:
    images = torch.zeros(N, 1, 64, 48)
    return Defects(strength, share)(images, RandomStream(0, "t", 0, N, torch.device("cpu")))


def test_most_images_get_one_defect_of_the_strength_that_is_asked_for() -> None:
    made = changed().numpy()
    depths = np.array([np.unique(image[image != 0]) for image in made if (image != 0).any()], dtype=object)
    assert all(len(depth) == 1 for depth in depths)
    values = np.array([float(depth[0]) for depth in depths])
    assert len(values) > 0.9 * N  # a narrow scratch may lie between pixels
    assert 0.24 - 1e-6 <= np.abs(values).min() < np.abs(values).max() <= 0.6 + 1e-6
    assert 0.4 < (values > 0).mean() < 0.6


def test_defects_are_small() -> None:
    areas = (changed() != 0).float().mean((1, 2, 3))
    assert 0 < areas.mean() < 0.05
    assert areas.max() < 0.15


def test_some_images_stay_as_they_are() -> None:
    whole = (changed(share=0.5) == 0).all(3).all(2).all(1).float().mean()
    assert 0.4 < whole < 0.65


def test_nothing_leaves_black_and_white() -> None:
    images = torch.ones(N, 3, 16, 16)
    made = Defects(2.0)(images, RandomStream(0, "t", 0, N, torch.device("cpu")))
    assert (made.min() >= -1, made.max() <= 1) == (True, True)
    assert torch.equal(made[:, 0], made[:, 2])  # the same of every colour


@pytest.mark.parametrize(("options", "line"), [((0.0, 0.5), "strength=0.0"), ((0.5, 1.5), "share=1.5")])
def test_what_is_no_defect_is_refused(options: tuple[float, float], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        Defects(*options)
