"""Clipping and noise: the regularisers without a term."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganflow.distributed.rng import RandomStream
from tests.methods.regularizers.small import build, normal

CPU = torch.device("cpu")


def parameters() -> list[nn.Parameter]:
    return [nn.Parameter(normal(3, 4, seed=1)), nn.Parameter(normal(5, seed=2)), nn.Parameter(normal(2, seed=3))]


def test_weights_are_clipped_into_the_box() -> None:
    weights = parameters()
    expected = [np.clip(w.detach().numpy().copy(), -0.3, 0.3) for w in weights]
    build("weight_clipping", c=0.3).constrain_discriminator(weights)
    for weight, clipped in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(weight.detach().numpy(), clipped)
        assert weight.requires_grad


def clipped(max_norm: float) -> tuple[list[Tensor], list[Tensor]]:
    """Gradients before and after; the last parameter has none."""
    weights = parameters()
    for i, weight in enumerate(weights[:2]):
        weight.grad = normal(*weight.shape, seed=10 + i)
    before = [w.grad.clone() for w in weights[:2]]
    build("gradient_clipping", max_norm=max_norm).adjust_gradients(weights)
    assert weights[2].grad is None
    return before, [w.grad for w in weights[:2]]


def test_gradients_of_all_parameters_are_scaled_together() -> None:
    before, after = clipped(0.5)
    norm = float(np.sqrt(sum((g.numpy() ** 2).sum() for g in before)))
    assert norm > 0.5
    for old, new in zip(before, after, strict=True):
        torch.testing.assert_close(new, old * 0.5 / norm, rtol=1e-5, atol=0)


def test_short_gradients_stay_as_they_are() -> None:
    before, after = clipped(100.0)
    torch.testing.assert_close(after, before, rtol=0, atol=0)


@pytest.mark.parametrize(("nimg", "sigma"), [(0, 0.4), (500, 0.3), (1500, 0.1), (2000, 0.0), (9000, 0.0)])
def test_noise_falls_linearly_to_nothing(nimg: int, sigma: float) -> None:
    images, draw = normal(6, 2, 4, 4), RandomStream(0, "t", 2, 6, CPU)
    seen = build("instance_noise", sigma=0.4, anneal_kimg=2.0).perturb(images, draw, nimg)
    torch.testing.assert_close(seen, images + sigma * draw.normal("instance-noise", 2, 4, 4).double())
    assert nimg < 2000 or seen is images


def test_noise_is_of_the_image_not_of_the_batch() -> None:
    images, draw, noise = normal(6, 2, 4, 4), RandomStream(0, "t", 2, 6, CPU), build("instance_noise")
    part = noise.perturb(images[4:], replace(draw, first=6, count=2), 0)
    torch.testing.assert_close(noise.perturb(images, draw, 0)[4:], part, rtol=0, atol=0)
