"""Against Miyato et al. (2018), eq. 16 and 17."""

import numpy as np
import pytest
import torch

from ganflow.methods.losses.hinge import Hinge

REAL = torch.tensor([-3.1, 0.0, 0.7, 12.0, 1.5], dtype=torch.float64)
FAKE = torch.tensor([2.2, -0.4, -11.0, 0.0, -1.5], dtype=torch.float64)


def test_the_discriminator_maximises_what_is_within_the_margin() -> None:
    to_maximise = np.minimum(0, -1 + REAL.numpy()).mean() + np.minimum(0, -1 - FAKE.numpy()).mean()
    assert float(Hinge().discriminator(REAL, FAKE)) == pytest.approx(-to_maximise, rel=1e-12)


def test_the_generator_raises_its_logits() -> None:
    assert float(Hinge().generator(FAKE)) == pytest.approx(-FAKE.numpy().mean(), rel=1e-12)


def test_beyond_the_margin_only_the_generator_learns() -> None:
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    of_real, of_fake = torch.autograd.grad(Hinge().discriminator(real, fake), (real, fake))
    assert of_real.tolist() == [-0.2, -0.2, -0.2, 0.0, 0.0]
    assert of_fake.tolist() == [0.2, 0.2, 0.0, 0.2, 0.0]
    assert torch.autograd.grad(Hinge().generator(fake), fake)[0].tolist() == [-0.2] * 5
