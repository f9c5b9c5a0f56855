"""f-AnoGAN's encoder, against its equation; and what is kept of each method for detection."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ganflow.config import components, composition
from ganflow.config.schema import Config
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset, Facts
from ganflow.errors import ConfigError
from ganflow.methods.build import check_fits
from ganflow.methods.discriminator_features import features
from ganflow.methods.networks.restoration.autoencoder import AutoencoderGenerator
from ganflow.training.build import build_trainer
from ganflow.training.trainer import Trainer

SMALL = (
    "method=f_anogan", "gan.conditioning=none", "gan.latent_dim=6", "gan/generator=mlp", "gan.generator.widths=[8]",
    "gan.discriminator.widths=[8]", "detection.encoder.width=4", "training.batch=8", "training.kimg=0.032",
    "tune.trials=0", "detection.features=0.5",
)  # fmt: skip
FACTS = Facts((1, 8, 8), 10)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "digits"
    prepare(components.build("source", {"name": "digits", "normal": [3]}, "data"), root)
    return root


def config(*overrides: str) -> Config:
    return composition.compose([*SMALL, *overrides])


def trainer(config: Config, data: Path) -> Trainer:
    return build_trainer(config, Dataset.open(data), torch.device("cpu"))


def test_the_encoder_learns_izi_f(data: Path) -> None:
    made = trainer(config(), data)
    players = made.state.players
    D, G, E = (players[name].network for name in "DGE")
    turns = {turn.player: turn for turn in made.method.turns}
    assert list(turns) == ["D", "G", "E"]
    with players["D"].turn(players["G"], players["E"]):
        made.accumulator.play(turns["D"])
    with players["E"].turn(players["G"], players["D"]):
        terms = made.accumulator.play(turns["E"])
    real = made.accumulator._real[0].images
    again = G(E(real)[0], None)
    pixels = (real - again).square().mean()
    seen = [features(D, images, None)[1][0] for images in (real, again)]
    of_features = 0.5 * (seen[0].detach() - seen[1]).square().mean()
    torch.testing.assert_close(terms["pixels"], pixels.detach())
    torch.testing.assert_close(terms["features"], of_features.detach())
    for parameter in E.parameters():
        parameter.requires_grad_(True)
    apart = torch.autograd.grad(pixels + of_features, list(E.parameters()))
    for parameter, gradient in zip(players["E"].parameters, apart, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    assert all(parameter.grad is None for parameter in players["G"].parameters)


def test_encoder_and_generator_are_averaged_and_kept_as_one(data: Path) -> None:
    made = trainer(config(), data)
    before = [parameter.clone() for parameter in made.state.ema.network.parameters()]
    made.step()
    kept = made.state.ema.network
    assert isinstance(kept, AutoencoderGenerator)
    assert all(not torch.equal(a, b) for a, b in zip(before, kept.parameters(), strict=True) if b.abs().sum())
    spec = made.spec
    assert (spec.detects, spec.restores, spec.latent_dim, spec.given_shape) == (True, True, 0, (1, 8, 8))
    spec.build().load_state_dict(kept.state_dict())


def test_a_vae_of_normal_images_keeps_its_encoder(data: Path) -> None:
    made = trainer(config("method=vae", "vae.encoder.widths=[8]"), data)
    images = torch.rand(3, 1, 8, 8)
    made.spec.build().load_state_dict(made.state.ema.network.state_dict())
    mean, _ = made.state.players["G"].network.encoder(images, None)
    again = made.state.players["G"].network.generator(mean, None)
    torch.testing.assert_close(made.state.ema.network.eval()(torch.zeros(3, 0), None, images), again)


def test_of_data_without_normal_classes_the_decoder_is_kept() -> None:
    from ganflow.methods.build import kept

    without = kept(config("method=vae"), FACTS)
    assert (without.network["name"], without.given_shape) == ("mlp", None)
    assert kept(config("method=vae"), replace(FACTS, normal=(3,))).given_shape == (1, 8, 8)


def test_data_have_to_say_what_is_normal() -> None:
    check_fits(config("evaluation/metrics=[psnr]", "evaluation.snapshot_metrics=[psnr]", "tune.metric=psnr",
                      "promotion.metric=psnr"), replace(FACTS, normal=(3,)))  # fmt: skip
    with pytest.raises(ConfigError, match=r"method=f_anogan.*say what is normal; set data\.normal"):
        check_fits(config(), FACTS)


def test_the_generator_is_a_decoder() -> None:
    small = [part for part in SMALL if not part.startswith("gan.generator.")]
    line = r"gan\.generator\.name=unet.*it is the decoder; set gan/generator=dcgan"
    with pytest.raises(ConfigError, match=line):
        check_fits(composition.compose([*small, "gan/generator=unet"]), FACTS)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("given=[noise]", r"given=noise.*none, with method=f_anogan"),
        ("gan.conditioning=projection", r"gan\.conditioning=projection.*not told"),
        ("detection.latent=2", r"detection\.latent=2.*0 \(pixels alone\) to 1"),
    ],
)
def test_what_does_not_go_together_is_one_line(override: str, line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        check_fits(config(override), FACTS)
