"""R2, the gradient penalties and DRAGAN against norms of finite differences."""

import pytest
import torch
from torch import Tensor

from tests.methods.regularizers.small import Smooth, build, slopes, turn


def close(term: Tensor | None, expected: Tensor) -> None:
    assert term is not None
    torch.testing.assert_close(term.detach(), expected, rtol=1e-7, atol=1e-9)


def test_r2_is_the_squared_slope_at_samples() -> None:
    D, made = Smooth(), turn(Smooth())
    close(build("r2", gamma=3.0).discriminator_term(made), 1.5 * (slopes(D, made.fake, made.fake_labels) ** 2).mean())


@pytest.mark.parametrize("sides", ["two", "one"])
@pytest.mark.parametrize("centre", [0.0, 1.0, 1.7])
def test_the_gradient_penalty_is_that_of_slopes_between_data_and_samples(sides: str, centre: float) -> None:
    D, made = Smooth(), turn(Smooth())
    alpha = made.draw.uniform("gradient-penalty", 1, 1, 1).double()
    assert len(alpha.unique()) == 5
    off = slopes(D, made.fake + alpha * (made.real - made.fake), made.labels) - centre
    assert sides == "two" or centre == 0 or (off < 0).any()  # else one side would not differ
    off = off.clamp(min=0) if sides == "one" else off
    close(build("gradient_penalty", sides=sides, centre=centre).discriminator_term(made), 10 * (off**2).mean())


def test_dragan_is_that_of_slopes_around_the_data() -> None:
    D, made = Smooth(), turn(Smooth())
    alpha = made.draw.uniform("dragan-alpha", 1, 1, 1).double()
    u = made.draw.uniform("dragan-noise", 2, 4, 4).double()
    disturbed = made.real + 0.5 * made.real.std(correction=0) * u
    around = alpha * made.real + (1 - alpha) * disturbed
    expected = 10 * ((slopes(D, around.detach(), made.labels) - 1) ** 2).mean()
    close(build("dragan").discriminator_term(made), expected)
    assert not torch.allclose(expected, 10 * ((slopes(D, made.real.detach(), made.labels) - 1) ** 2).mean(), rtol=1e-3)
