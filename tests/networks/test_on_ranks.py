"""Two ranks average to the gradient of the whole batch, with R1, for every pair of networks of one name.

In eval, so that what depends on the batch or on torch's generator (batch normalisation, noise) stays out.
"""

from typing import Any

import pytest
import torch
from torch import Tensor

from ganflow import component, distributed
from ganflow.gan import GAN
from ganflow.losses.non_saturating import NonSaturating
from ganflow.regularizers.r1 import R1
from ganflow.training.player import Player
from tests.networks.test_every_network import LATENT, build
from tests.support.ranks import on_ranks

BATCH, CLASSES, SIDE = 8, 3, 8
NAMES = tuple(name for name in component.choices("generator") if name in component.choices("discriminator"))


def gradients(name: str) -> list[Tensor]:
    """Of D and then of G, on this rank's rows."""
    networks = (build(group, name, SIDE, 1, CLASSES).double().eval() for group in ("generator", "discriminator"))
    G, D = (Player(network, torch.optim.SGD(network.parameters(), 0.1)) for network in networks)
    method = GAN(G, D, NonSaturating(), {"r1": R1()})
    draw = torch.Generator().manual_seed(1)
    z = torch.randn(BATCH, LATENT, dtype=torch.float64, generator=draw)
    real = torch.randn(BATCH, 1, SIDE, SIDE, dtype=torch.float64, generator=draw)
    rows = distributed.share(BATCH)
    y, z, real = (torch.arange(BATCH) % CLASSES)[rows], z[rows], real[rows]
    with D.turn(G):
        D.minimise(method.discriminator_terms(real, y, z, y, turn=0))
    with G.turn(D):
        G.minimise(method.generator_terms(z, y))
    return [p.grad.clone() for player in (D, G) for p in player.network.parameters()]


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
