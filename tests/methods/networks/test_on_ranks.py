"""Two ranks average to the gradient of the whole batch, with R1, for every pair of networks of one name.

In eval, so that what depends on the batch or on torch's generator (batch normalisation, noise) stays out.
"""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from ganflow.config import components
from ganflow.distributed import collectives
from ganflow.methods.augmented_discriminator import Judgement
from tests.methods.networks.test_every_network import build, inputs, moved, sides
from tests.support.ranks import on_ranks

BATCH = 8
NAMES = tuple(name for name in components.choices("generator") if name in components.choices("discriminator"))


def judged(output: Tensor) -> Tensor:
    """A logit for every image."""
    return Judgement.of(output).by_image


def gradients(name: str) -> list[Tensor]:
    """Of D's joint backward and then of G's, on this rank's rows."""
    side = min(side for side in sides(name) if side > 1)
    G, D = (
        moved(build(group, name, side, 1, "projection")).double().eval() for group in ("generator", "discriminator")
    )
    parallel_g, parallel_d = collectives.data_parallel(G), collectives.data_parallel(D)
    draw, rows = torch.Generator().manual_seed(1), collectives.share(BATCH)
    z, y, *given = (
        x[rows].double() if x.is_floating_point() else x[rows] for x in inputs("generator", name, BATCH, side)
    )
    real = torch.randn(BATCH, 1, side, side, dtype=torch.float64, generator=draw)[rows].requires_grad_()
    on_real, on_fake = judged(parallel_d(real, y)), judged(parallel_d(G(z, y, *given).detach(), y))
    slope = torch.autograd.grad(on_real.sum(), real, create_graph=True)[0]
    (softplus(-on_real) + softplus(on_fake) + slope.square().sum((1, 2, 3))).mean().backward()
    of_d = [p.grad.clone() for p in D.parameters()]
    D.requires_grad_(False)
    softplus(-judged(D(parallel_g(z, y, *given), y))).mean().backward()
    return of_d + [p.grad.clone() for p in G.parameters()]


def of_all() -> dict[str, list[Tensor]]:
    return {name: gradients(name) for name in NAMES}


@pytest.fixture(scope="module")
def together() -> list[dict[str, Any]]:
    return on_ranks(2, of_all)


@pytest.mark.parametrize("name", NAMES)
def test_two_ranks_average_to_the_gradient_of_the_whole_batch(name: str, together: list[dict[str, Any]]) -> None:
    alone = gradients(name)
    assert max(float(g.abs().max()) for g in alone) > 1e-6
    for of_rank in together:
        torch.testing.assert_close(of_rank[name], alone, rtol=1e-10, atol=1e-12)
