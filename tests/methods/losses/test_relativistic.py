"""Against Jolicoeur-Martineau (2018): −log sigmoid of the difference of each pair."""

import numpy as np
import pytest
import torch

from ganflow.methods.losses.relativistic import Relativistic

REAL = torch.tensor([-3.1, 0.0, 0.7, 12.0], dtype=torch.float64)
FAKE = torch.tensor([2.2, -0.4, -11.0, 0.0], dtype=torch.float64)


def log_sigmoid(logits: np.ndarray) -> np.ndarray:
    return -np.log(1 + np.exp(-logits.astype(np.longdouble)))


def test_each_player_wants_its_side_of_a_pair_to_look_more_real() -> None:
    real, fake = REAL.numpy(), FAKE.numpy()
    of_d, of_g = Relativistic().discriminator(REAL, FAKE), Relativistic().generator(FAKE, REAL)
    assert float(of_d) == pytest.approx(float(-log_sigmoid(real - fake).mean()), rel=1e-10)
    assert float(of_g) == pytest.approx(float(-log_sigmoid(fake - real).mean()), rel=1e-10)


def test_pairs_are_rows_and_only_differences_count() -> None:
    of_d = Relativistic().discriminator(REAL, FAKE)
    torch.testing.assert_close(Relativistic().discriminator(REAL + 7, FAKE + 7), of_d)
    torch.testing.assert_close(Relativistic().discriminator(REAL.flip(0), FAKE.flip(0)), of_d)
    assert abs(float(Relativistic().discriminator(REAL.flip(0), FAKE) - of_d)) > 0.1


def test_it_says_that_it_needs_the_real_logits() -> None:
    assert Relativistic().paired
    with pytest.raises(AssertionError):
        Relativistic().generator(FAKE)


def test_extreme_differences_give_their_limits() -> None:
    high, low = torch.full((4,), 1e4), torch.full((4,), -1e4)
    assert float(Relativistic().discriminator(high, low)) == float(Relativistic().generator(high, low)) == 0.0
    assert float(Relativistic().discriminator(low, high)) == float(Relativistic().generator(low, high)) == 2e4
