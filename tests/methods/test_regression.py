"""A generator that learns its content losses alone, and a GAN that learns them beside its adversary."""

from pathlib import Path

import pytest
import torch

from ganflow.config import components, composition
from ganflow.config.schema import Config
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset, Facts
from ganflow.errors import ConfigError
from ganflow.methods.build import check_fits
from ganflow.training.build import build_trainer
from ganflow.training.trainer import Trainer

GIVEN = ("given=[hole]", "gan/content=[squared_error]", "gan.latent_dim=0", "gan.conditioning=none")
EDSR = ("gan/generator=edsr", "gan.generator.blocks=1", "gan.generator.width=4")
SMALL = ("training.batch=8", "training.kimg=0.032", "tune.trials=0")
FACTS = Facts((1, 8, 8), 10)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "digits"
    prepare(components.build("source", {"name": "digits"}, "data"), root)
    return root


def config(*overrides: str, generator: tuple[str, ...] = EDSR) -> Config:
    return composition.compose([*GIVEN, *SMALL, *generator, *overrides])


def trainer(config: Config, data: Path) -> Trainer:
    return build_trainer(config, Dataset.open(data), torch.device("cpu"))


def test_its_gradient_is_that_of_the_squared_error(data: Path) -> None:
    made = trainer(config("method=regression"), data)
    [turn] = made.method.turns
    player = made.state.players["G"]
    with player.turn():
        terms = made.accumulator.play(turn)
    batch_real, given = made.accumulator._real[0].images, made.accumulator._real[0].given
    network = player.network
    apart = torch.autograd.grad(
        (network(torch.zeros(8, 0), None, given) - batch_real).square().mean(), list(network.parameters())
    )
    assert list(terms) == ["squared_error"]
    for parameter, gradient in zip(player.parameters, apart, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_it_learns(data: Path) -> None:
    made = trainer(
        config("method=regression", "optimizers.generator.lr=0.01", "gan.generator.width=16", "training.kimg=2"), data
    )
    losses = []
    for _ in range(60):
        made.step()
        losses.append(made.state.means.pop()["G/squared_error"])
    assert sum(losses[-10:]) < 0.85 * sum(losses[:10])


def test_a_gan_learns_them_beside_its_loss(data: Path) -> None:
    made = trainer(config("gan/content=[l1,feature_matching]", "gan/discriminator=mlp"), data)
    made.step()
    terms = made.state.means.pop()
    assert {"G/l1", "G/feature_matching", "G/adversarial", "D/adversarial"} <= set(terms)


def test_a_discriminator_may_see_what_was_given(data: Path) -> None:
    made = trainer(config("gan/discriminator=patch", "gan.discriminator.sees_given=true"), data)
    first = next(made.state.players["D"].network.parameters())
    assert first.shape[1] == 1 + 2  # the image, the digit with its hole, the mask
    made.step()
    assert all(term == term for term in made.state.means.pop().values())


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["given=[]", "gan.latent_dim=8"], r"gan\.generator\.name=edsr.*nothing is given"),
        (["given=[]"], r"gan\.latent_dim=0.*set given=\[noise\]"),
        (["gan/content=[masked_l1]", "given=[noise]"], r"gan\.content\.masked_l1=masked_l1.*needs hidden pixels"),
        (["method=regression", "gan/content=[]"], r"gan\.content=.*set gan/content=\[l1\]"),
        (["method=regression", "gan/content=[feature_matching]"], r"gan\.content\.feature_matching.*has no D"),
        (["method=vae"], r"given=hole.*nothing, with method=vae"),
        (["given=[hole,noise]"], r"given\.noise=noise.*must come before hole"),
        (["given=[grey]"], r"given\.grey"),
        (
            ["gan/discriminator=patch", "gan.discriminator.sees_given=true", "gan/augmentation=diffaugment"],
            r"gan\.augmentation\.name=diffaugment.*none: this D",
        ),
    ],
)
def test_what_does_not_go_together_is_one_line_before_training(overrides: list[str], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        check_fits(config(*overrides), FACTS)


def test_a_generator_that_would_not_look_at_what_is_given_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"gan\.generator\.name=dcgan.*of noise alone.*edsr"):
        check_fits(config("gan.latent_dim=8", generator=("gan/generator=dcgan",)), FACTS)


@pytest.mark.parametrize("method", ["gan", "vae", "f_anogan", "ganomaly"])
def test_a_generator_of_noise_needs_some(method: str) -> None:
    with pytest.raises(ConfigError, match=r"gan\.latent_dim=0.*at least 1"):
        check_fits(composition.compose(["gan.latent_dim=0", f"method={method}", "gan.conditioning=none"]), FACTS)
    with pytest.raises(ConfigError, match=r"gan\.latent_dim=-1: 0 \(no noise.*or more"):
        composition.compose(["gan.latent_dim=-1"])
