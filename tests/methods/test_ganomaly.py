"""GANomaly's terms, against their equations; and what is kept of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ganflow.config import components, composition
from ganflow.config.schema import Config
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset, Facts
from ganflow.errors import ConfigError
from ganflow.generation.detection import score
from ganflow.methods import generator
from ganflow.methods.build import check_fits
from ganflow.methods.discriminator_features import features
from ganflow.methods.generator import Generator
from ganflow.methods.networks.restoration.autoencoder import AutoencoderGenerator
from ganflow.training.build import build_trainer
from ganflow.training.trainer import Trainer

SMALL = (
    "method=ganomaly", "gan.conditioning=none", "gan.latent_dim=6", "gan/generator=mlp", "gan.generator.widths=[8]",
    "gan.discriminator.widths=[8]", "detection.encoder.width=4", "training.batch=8", "training.kimg=0.032",
    "tune.trials=0", "detection.features=0.5", "detection.pixels=40", "detection.codes=2", "detection.latent=1",
    "gan/regularizers=[]",
)  # fmt: skip
FACTS = Facts((1, 8, 8), 10, normal=(3,))
OTHERS = (
    "evaluation/metrics=[psnr]", "evaluation.snapshot_metrics=[psnr]", "tune.metric=psnr", "promotion.metric=psnr",
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "digits"
    prepare(components.build("source", {"name": "digits", "normal": [3]}, "data"), root)
    return root


def config(*overrides: str) -> Config:
    return composition.compose([*SMALL, *overrides])


def trainer(config: Config, data: Path) -> Trainer:
    return build_trainer(config, Dataset.open(data), torch.device("cpu"))


def test_encoders_and_decoder_learn_the_three_differences(data: Path) -> None:
    made = trainer(config(), data)
    players = made.state.players
    D, G = (players[name].network for name in "DG")
    turns = {turn.player: turn for turn in made.method.turns}
    assert list(turns) == ["D", "G"]
    with players["D"].turn(players["G"]):
        of_d = made.accumulator.play(turns["D"])
    real = made.accumulator._real[0].images
    again = G.decoder(G.encoder(real)[0], None)
    logits = D(real, None), D(again, None)
    softplus = torch.nn.functional.softplus
    torch.testing.assert_close(of_d["adversarial"], (softplus(-logits[0]).mean() + softplus(logits[1]).mean()).detach())
    with players["G"].turn(players["D"]):
        terms = made.accumulator.play(turns["G"])
    code = G.encoder(real)[0]
    again = G.decoder(code, None)
    seen = [features(D, images, None)[1][0] for images in (real, again)]
    expected = {
        "pixels": 40 * (real - again).abs().mean(),
        "features": 0.5 * (seen[0].detach() - seen[1]).square().mean(),
        "codes": 2 * (code - G.second(again)[0]).square().mean(),
    }
    assert terms.keys() == expected.keys()
    for name, term in expected.items():
        torch.testing.assert_close(terms[name], term.detach())
    parameters = list(G.parameters())
    gradients = torch.autograd.grad(torch.stack(list(expected.values())).sum(), parameters)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_the_three_networks_are_averaged_and_kept_as_one(data: Path, tmp_path: Path) -> None:
    made = trainer(config(), data)
    made.step()
    network = made.state.ema.network
    assert isinstance(network, AutoencoderGenerator)
    generator.save(tmp_path / "model", network, made.spec)
    read = generator.load(tmp_path / "model")
    assert (read.spec.detects, read.spec.restores, read.spec.latent_dim, read.spec.given_shape) == (
        True, True, 0, (1, 8, 8),
    )  # fmt: skip
    images = torch.rand(3, 1, 8, 8)
    torch.testing.assert_close(score(read, images), score(Generator(network, made.spec), images))


def test_it_learns_to_make_normal_images_again(data: Path) -> None:
    made = trainer(config("training.kimg=6", "training.batch=64", "optimizers.generator.lr=0.005"), data)
    images = torch.from_numpy(Dataset.open(data, "train").images(np.arange(64))).float() / 127.5 - 1

    def away() -> float:
        return float(score(Generator(made.state.players["G"].network, made.spec), images).maps.mean())

    before = away()
    for _ in range(90):
        made.step()
    assert away() < before / 2


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("gan/generator=unet given=[noise]", r"given=noise.*none, with method=ganomaly"),
        ("gan/generator=unet", r"gan\.generator\.name=unet.*it is the decoder"),
        ("gan.conditioning=projection", r"gan\.conditioning=projection.*not told"),
        ("method=gan gan/generator=autoencoder gan.generator.second=true gan.latent_dim=0 detection.latent=0",
         r"gan\.generator\.second=True.*method=ganomaly alone"),
        ("gan/generator=stylegan2 gan/regularizers=[path_length]", r"path_length.*generator of noise"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_one_line(override: str, line: str) -> None:
    check_fits(config(*OTHERS), FACTS)
    others = override.split()
    apart = [part for part in SMALL if not part.startswith("gan.generator") and part.split("=")[0] not in override]
    with pytest.raises(ConfigError, match=line):
        check_fits(composition.compose([*apart, *OTHERS, *others]), FACTS)


def test_data_have_to_say_what_is_normal() -> None:
    with pytest.raises(ConfigError, match=r"method=ganomaly.*say what is normal; set data\.normal"):
        check_fits(config(), replace(FACTS, normal=()))
