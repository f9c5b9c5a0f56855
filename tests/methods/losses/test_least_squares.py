"""Against Mao et al. (2017), eq. 2, and the divergence that the paper derives from it."""

import numpy as np
import pytest
import torch

from ganflow.errors import ConfigError
from ganflow.methods.losses.least_squares import LeastSquares

REAL = torch.tensor([-3.1, 0.0, 0.7, 12.0], dtype=torch.float64)
FAKE = torch.tensor([2.2, -0.4, -11.0, 0.0], dtype=torch.float64)


@pytest.mark.parametrize(("a", "b", "c"), [(0.0, 1.0, 1.0), (-1.0, 1.0, 0.0), (0.1, 0.9, 0.8)])
def test_logits_are_regressed_to_the_paper_s_targets(a: float, b: float, c: float) -> None:
    loss, real, fake = LeastSquares(a, b, c), REAL.numpy(), FAKE.numpy()
    of_d = np.mean((real - b) ** 2) / 2 + np.mean((fake - a) ** 2) / 2
    assert float(loss.discriminator(REAL, FAKE)) == pytest.approx(of_d, rel=1e-12)
    assert float(loss.generator(FAKE)) == pytest.approx(np.mean((fake - c) ** 2) / 2, rel=1e-12)


def test_the_default_is_the_0_1_coding() -> None:
    loss = LeastSquares()
    assert (loss.a, loss.b, loss.c) == (0.0, 1.0, 1.0)
    assert float(loss.discriminator(torch.ones(3), torch.zeros(3))) == float(loss.generator(torch.ones(3))) == 0.0


def test_with_b_c_1_and_b_a_2_twice_the_generator_s_loss_is_pearson_s_chi_squared() -> None:
    p_data, p_g = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.3, 0.6])
    best = torch.from_numpy((p_data - p_g) / (p_data + p_g))  # (b·p_data + a·p_g) / (p_data + p_g)
    loss = LeastSquares(a=-1.0, b=1.0, c=0.0)
    of_g = sum(float(p) * float(loss.generator(d[None])) for p, d in zip(p_data + p_g, best, strict=True))
    chi_squared = np.sum((2 * p_g - (p_data + p_g)) ** 2 / (p_data + p_g))
    assert 2 * of_g == pytest.approx(chi_squared, rel=1e-12)


@pytest.mark.parametrize(
    ("targets", "line"),
    [
        ({"b": 0.0}, "b=0.0: must be more than a=0.0"),
        ({"a": 2.0}, "b=1.0: must be more than a=2.0"),
        ({"c": 0.0}, "c=0.0: must be more than a=0.0, at most b=1.0"),
        ({"b": 0.9}, "c=1.0: must be more than a=0.0, at most b=0.9"),
    ],
)
def test_targets_that_turn_the_game_are_refused(targets: dict[str, float], line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        LeastSquares(**targets)
    assert str(refused.value) == line
