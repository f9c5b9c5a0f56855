from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ganflow.config import components, composition
from ganflow.data.prepared.dataset import Dataset
from ganflow.distributed import collectives
from ganflow.errors import ConfigError
from ganflow.methods.networks.facts import network_facts
from ganflow.methods.players.player import Player
from ganflow.methods.vae import VAE, Autoencoder
from ganflow.training.build import build_trainer
from tests.support.ranks import on_ranks
from tests.support.turns import batch
from tests.training.small import CPU, config, run, same

FACTS = {"latent_dim": 3, **network_facts((2, 4, 4), 5)}
BATCH = 8


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def network(encoder: str) -> Autoencoder:
    torch.manual_seed(1)
    options = {"widths": [6, 7]} if encoder == "mlp" else {"width": 3}
    made = components.build("encoder", {"name": encoder, **options}, "e", **FACTS)
    generator = components.build("generator", {"name": "mlp", "widths": [6]}, "g", **FACTS)
    return Autoencoder(made, generator).double()


X, NOISE, Y = normal(BATCH, 2, 4, 4, seed=2), normal(BATCH, 3, seed=3), torch.arange(BATCH) % 5


def test_terms_are_the_bound_s() -> None:
    whole = network("mlp")
    terms = VAE(whole, sigma=0.7, beta=2.0).terms(batch(X, Y, NOISE, None))
    mean, log_variance = (t.detach().numpy() for t in whole.encoder(X, Y))
    deviation = np.exp(log_variance / 2)
    z = torch.from_numpy(mean + deviation * NOISE.numpy())
    image = whole.generator(z, Y).detach().numpy()
    log_likelihood = -((X.numpy() - image) ** 2 / (2 * 0.7**2)).sum((1, 2, 3))
    # KL(N(m, s²) ‖ N(0, 1)) = log(1/s) + (s² + m²)/2 − 1/2
    divergence = (-np.log(deviation) + (deviation**2 + mean**2) / 2 - 0.5).sum(1)
    assert float(terms["reconstruction"].detach()) == pytest.approx(-log_likelihood.mean(), rel=1e-12)
    assert float(terms["kl"].detach()) == pytest.approx(2 * divergence.mean(), rel=1e-12)


def gradients(encoder: str) -> list[Tensor]:
    """Of one turn, on this rank's rows of the same batch."""
    whole = network(encoder)
    player = Player(whole, torch.optim.SGD(whole.parameters(), 0.1))
    rows = collectives.share(BATCH)
    with player.turn():
        player.backward(VAE(player, 0.5, 1.0).terms(batch(X[rows], Y[rows], NOISE[rows], None, first=rows.start)))
    return [p.grad.clone() for p in whole.parameters()]


@pytest.mark.parametrize("encoder", ["mlp", "conv"])
def test_ranks_average_to_the_gradient_of_the_whole_batch(encoder: str) -> None:
    alone = gradients(encoder)
    for of_rank in on_ranks(2, gradients, encoder):
        torch.testing.assert_close(of_rank, alone, rtol=1e-10, atol=1e-12)
    assert all(gradient.abs().max() > 0 for gradient in alone)


def test_a_run_that_is_cut_off_ends_with_the_same_bits(digits: Path, tmp_path: Path) -> None:
    vae = config("experiment=vae", "gan.generator.norm=none")
    whole = run(vae, digits)
    assert run(vae, digits, tmp_path, cut_at=150)["start"] == 0
    resumed = run(vae, digits, tmp_path)
    assert resumed["start"] == 128
    assert same(resumed["state"], whole["state"])


def test_training_lowers_the_bound(digits: Path) -> None:
    made = build_trainer(composition.compose(["experiment=vae", "training.batch=64"]), Dataset.open(digits), CPU)

    def steps(n: int) -> float:
        for _ in range(n):
            made.step()
        return sum(made.state.means.pop().values())

    first = steps(5)
    steps(60)
    assert steps(5) < 0.6 * first


def test_an_encoder_s_bad_width_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"^vae\.encoder\.width=0: must be more than 0$"):
        components.build("encoder", {"name": "conv", "width": 0}, "vae.encoder", **FACTS)


@pytest.mark.parametrize("encoder", components.choices("encoder"))
@pytest.mark.parametrize(("resolution", "classes"), [(1, 0), (8, 3), (28, 0), (32, 3)])
def test_every_encoder_takes_images_of_any_size(encoder: str, resolution: int, classes: int) -> None:
    facts = {"latent_dim": 6, **network_facts((2, resolution, resolution), classes)}
    made = components.build("encoder", {"name": encoder}, "e", **facts)
    labels = torch.zeros(3, dtype=torch.long) if classes else None
    mean, log_variance = made(torch.zeros(3, 2, resolution, resolution), labels)
    assert mean.shape == log_variance.shape == (3, 6)
