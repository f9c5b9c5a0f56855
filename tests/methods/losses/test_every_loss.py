"""What holds of any loss; a new one is covered as soon as it stands in the registry."""

from functools import partial

import pytest
import torch
from torch import Tensor

from ganflow.config import components
from ganflow.methods.losses.base import AdversarialLoss

EVERY = pytest.mark.parametrize("name", components.choices("loss"))


def build(name: str) -> AdversarialLoss:
    loss = components.build("loss", {"name": name}, "gan.loss")
    assert isinstance(loss, AdversarialLoss)
    return loss


def of_generator(loss: AdversarialLoss, fake: Tensor, real: Tensor) -> Tensor:
    return loss.generator(fake, real) if loss.paired else loss.generator(fake)


def logits(n: int, seed: int) -> Tensor:
    return torch.randn(n, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).requires_grad_()


@EVERY
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    loss = build(name)
    assert torch.autograd.gradcheck(loss.discriminator, (logits(5, 0), logits(5, 1)))
    assert torch.autograd.gradcheck(partial(of_generator, loss), (logits(5, 2), logits(5, 3)))


@EVERY
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("value", [-1e4, 1e4])
def test_values_and_gradients_stay_finite_on_extreme_logits(name: str, value: float, dtype: torch.dtype) -> None:
    loss = build(name)
    for sign in (1, -1):
        real, fake = (torch.full((3,), s * value, dtype=dtype, requires_grad=True) for s in (1, sign))
        total = loss.discriminator(real, fake) + of_generator(loss, fake, real)
        assert total.isfinite()
        assert all(g.isfinite().all() for g in torch.autograd.grad(total, (real, fake)))


@EVERY
def test_terms_are_means_so_that_a_batch_is_the_mean_of_its_halves(name: str) -> None:
    loss, real, fake = build(name), logits(8, 3), logits(8, 4)
    halves = [loss.discriminator(real[i : i + 4], fake[i : i + 4]) for i in (0, 4)]
    torch.testing.assert_close(loss.discriminator(real, fake), sum(halves) / 2)
    halves = [of_generator(loss, fake[i : i + 4], real[i : i + 4]) for i in (0, 4)]
    torch.testing.assert_close(of_generator(loss, fake, real), sum(halves) / 2)
    assert loss.discriminator(real, fake).shape == of_generator(loss, fake, real).shape == ()


@EVERY
def test_undecided_logits_move_the_way_each_player_wants(name: str) -> None:
    loss, real, fake = build(name), torch.zeros(6, requires_grad=True), torch.zeros(6, requires_grad=True)
    of_real, of_fake = torch.autograd.grad(loss.discriminator(real, fake), (real, fake))
    assert (of_real < 0).all()
    assert (of_fake >= 0).all()
    assert (torch.autograd.grad(of_generator(loss, fake, real), fake)[0] < 0).all()
