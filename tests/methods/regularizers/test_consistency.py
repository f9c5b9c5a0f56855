import numpy as np
import pytest
import torch

from ganflow.distributed.rng import RandomStream
from ganflow.methods.regularizers.consistency import flip_and_shift
from tests.methods.regularizers.small import Smooth, build, normal, turn

CPU = torch.device("cpu")


def by_hand(image: torch.Tensor, draw: np.ndarray, most: int) -> torch.Tensor:
    """Mirror, pad by reflection, cut out: (C, H, W)."""
    flip, down, right = draw
    mirrored = image.numpy()[:, :, ::-1] if flip < 0.5 else image.numpy()
    padded = np.pad(mirrored, ((0, 0), (most, most), (most, most)), mode="reflect")
    y, x = (most - (int(np.floor(u * (2 * most + 1))) - most) for u in (down, right))
    return torch.from_numpy(padded[:, y : y + image.shape[1], x : x + image.shape[2]].copy())


@pytest.mark.parametrize(("share", "most"), [(0.0, 0), (0.15, 1), (0.4, 3)])
def test_images_are_mirrored_and_moved_as_drawn(share: float, most: int) -> None:
    images, draw = normal(40, 2, 8, 8), RandomStream(0, "t", 3, 40, CPU)
    numbers = draw.uniform("flip-shift", 3).numpy()
    moved = flip_and_shift(images, draw, share)
    for image, seen, row in zip(images, moved, numbers, strict=True):
        torch.testing.assert_close(seen, by_hand(image, row, most), rtol=0, atol=0)
    assert len({tuple(np.floor(row[1:] * (2 * most + 1))) for row in numbers}) > most


def test_the_images_of_toys_are_one_pixel() -> None:
    images = normal(6, 2, 1, 1)
    torch.testing.assert_close(flip_and_shift(images, RandomStream(0, "t", 0, 6, CPU), 0.125), images, rtol=0, atol=0)


@pytest.mark.parametrize(("real", "fake"), [(10.0, 0.0), (2.0, 5.0), (0.0, 3.0)])
def test_it_is_the_squared_difference_to_the_twins_logits(real: float, fake: float) -> None:
    D, made = Smooth(), turn(Smooth())
    x, g = (flip_and_shift(i, made.draw.substream(f"consistency-{n}"), 0.25) for n, i in
            (("real", made.real), ("fake", made.fake)))  # fmt: skip
    of_real = ((D(made.real, made.labels) - D(x, made.labels)) ** 2).mean()
    of_fake = ((D(made.fake, made.fake_labels) - D(g, made.fake_labels)) ** 2).mean()
    term = build("consistency", real=real, fake=fake, shift=0.25).discriminator_term(made)
    torch.testing.assert_close(term, real * of_real + fake * of_fake)
    assert torch.stack([of_real, of_fake]).min() > 1e-3
