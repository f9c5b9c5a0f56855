import pytest
import torch
from torch import Tensor, nn

from ganflow.errors import ConfigError
from ganflow.methods.regularizers.r1 import R1
from tests.support.turns import discriminator_turn


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def penalty(gamma: float, real: Tensor, D: nn.Module) -> Tensor:
    return R1(gamma).discriminator_term(discriminator_turn(lambda images, _: D(images), real, real))


class Quadratic(nn.Module):
    """D(x) = xᵀAx/2 + bᵀx with a symmetric A, so ∇D(x) = Ax + b."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        half = normal(pixels, pixels, seed=1)
        self.A, self.b = nn.Parameter(half + half.T), nn.Parameter(normal(pixels, seed=2))

    def forward(self, images: Tensor) -> Tensor:
        x = images.flatten(1)
        return torch.einsum("ni,ij,nj->n", x, self.A, x) / 2 + x @ self.b


def test_a_quadratic_discriminator_has_the_analytic_penalty_and_gradient() -> None:
    D, real = Quadratic(12), normal(5, 3, 2, 2)
    value = penalty(0.7, real, D)
    slope = real.flatten(1) @ D.A + D.b  # (5, 12)
    torch.testing.assert_close(value, 0.7 / 2 * (slope**2).sum(1).mean())
    (of_b,) = torch.autograd.grad(value, D.b)
    torch.testing.assert_close(of_b, 0.7 * slope.mean(0))


def test_a_convolutional_discriminator_has_the_penalty_of_finite_differences() -> None:
    torch.manual_seed(0)
    D = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(12, 1), nn.Flatten(0)).double()
    real, step = normal(4, 2, 4, 4), 1e-5
    squared = 0.0
    for pixel in range(32):
        nudge = torch.zeros(32, dtype=torch.float64)
        nudge[pixel] = step
        with torch.no_grad():
            up, down = (D(real + sign * nudge.view(1, 2, 4, 4)) for sign in (1, -1))
        squared += float((((up - down) / (2 * step)) ** 2).mean())
    assert float(penalty(3.0, real, D).detach()) == pytest.approx(3.0 / 2 * squared, rel=1e-7)


def test_the_penalty_can_be_differentiated_again() -> None:
    torch.manual_seed(0)
    first, second, real = normal(6, 4, seed=3).requires_grad_(), normal(4, seed=4).requires_grad_(), normal(3, 1, 2, 3)

    def of_weights(one: Tensor, two: Tensor) -> Tensor:
        images = real.clone().requires_grad_()
        turn = discriminator_turn(lambda x, _: torch.tanh(x.flatten(1) @ one) @ two, images, images)
        return R1(2.0).discriminator_term(turn)

    assert torch.autograd.gradcheck(of_weights, (first, second))


def test_it_is_a_mean_over_images_not_a_norm_of_the_mean() -> None:
    linear = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False), nn.Flatten(0)).double()
    expected = 0.5 * float((linear[1].weight.detach() ** 2).sum())
    for n in (1, 3, 8):
        assert float(penalty(1.0, normal(n, 1, 2, 2), linear).detach()) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gamma": -0.1}, "gamma=-0.1: must not be negative"),
        ({"interval": 0}, "interval=0: must be at least 1"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        R1(**options)
    assert str(refused.value) == message
