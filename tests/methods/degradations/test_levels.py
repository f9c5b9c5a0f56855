import numpy as np
import torch

from ganflow.methods.degradations.levels import to_images, to_levels, whole
from tests.methods.degradations.pixels import images


def test_levels_are_those_of_the_file_whatever_float32_makes_of_them() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(1, 256, 1)
    assert whole(to_levels(images(every))).flatten().tolist() == list(range(256))
    assert torch.equal(whole(to_levels(to_images(torch.arange(256.0)))), torch.arange(256.0))


def test_halves_go_upward_and_ends_are_ends() -> None:
    between = torch.tensor([-3.0, -0.6, 0.49, 0.5, 1.5, 2.49, 2.4999998, 254.5, 255.4, 300.0])
    assert whole(between).tolist() == [0, 0, 0, 1, 2, 2, 3, 255, 255, 255]
