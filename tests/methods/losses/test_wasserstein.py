"""Against Arjovsky et al. (2017), algorithm 1 and theorem 3."""

import numpy as np
import pytest
import torch

from ganflow.methods.losses.wasserstein import Wasserstein

REAL = torch.tensor([-3.1, 0.0, 0.7, 12.0, 5.0], dtype=torch.float64)
FAKE = torch.tensor([2.2, -0.4, -11.0, 0.0, 1.0], dtype=torch.float64)


def test_the_critic_maximises_the_difference_of_means() -> None:
    of_d = Wasserstein().discriminator(REAL, FAKE)
    assert float(of_d) == pytest.approx(-(np.mean(REAL.numpy()) - np.mean(FAKE.numpy())), rel=1e-12)
    assert float(Wasserstein().generator(FAKE)) == pytest.approx(-np.mean(FAKE.numpy()), rel=1e-12)


def test_the_best_critic_s_loss_is_the_negative_distance() -> None:
    """Between points on a line that are all on one side, the distance is that of the means, and D(x) = x is best."""
    x, g = torch.tensor([3.0, 4.0, 9.0]), torch.tensor([-1.0, 0.0, 2.0])
    by_sorting = float((x.sort().values - g.sort().values).abs().mean())
    assert float(Wasserstein().discriminator(x, g)) == pytest.approx(-by_sorting)


def test_slopes_never_saturate() -> None:
    fake = torch.tensor([-1e4, 0.0, 1e4, 1.0], requires_grad=True)
    assert torch.autograd.grad(Wasserstein().generator(fake), fake)[0].tolist() == [-0.25] * 4
