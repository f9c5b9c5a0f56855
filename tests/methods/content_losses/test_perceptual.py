"""The perceptual loss: its options, its weights, and that nothing of its network is state."""

import hashlib
from pathlib import Path

import pytest
import torch
from torch import nn

from ganflow.config import components
from ganflow.data.prepared.dataset import Dataset
from ganflow.distributed.rng import RandomStream
from ganflow.errors import ConfigError
from ganflow.methods.build import check_fits
from ganflow.methods.content_losses.perceptual import Perceptual
from ganflow.methods.perception.backbones import Backbone, vgg
from ganflow.methods.regularizers.base import GeneratorTurn
from tests.support.backbones import random_backbone, weights_file
from tests.support.ranks import on_ranks
from tests.training.small import config, run, same

RESTORES = (
    "given=[noise]", "gan/generator=edsr", "gan.generator.blocks=1", "gan.generator.width=4", "gan.latent_dim=0",
    "gan.conditioning=none", "method=regression", "gan/content=[l1,perceptual]",
    "gan.content.perceptual.layers=[conv1_1]",
)  # fmt: skip


@pytest.fixture(scope="module")
def network() -> Backbone:
    return random_backbone(vgg("vgg19"))


@pytest.fixture(scope="module")
def weights(network: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return weights_file(network, tmp_path_factory.mktemp("weights") / "vgg19.pth")


def turn(fake: torch.Tensor, real: torch.Tensor) -> GeneratorTurn:
    draw = RandomStream(0, "t", 0, len(real), torch.device("cpu"))
    return GeneratorTurn(nn.Identity(), torch.zeros(len(real), 0), None, fake, draw, real)


def test_srgan_and_esgran_have_the_layer_after_and_before_its_activation(network: Backbone, weights: Path) -> None:
    random = torch.Generator().manual_seed(0)
    real, fake = (torch.rand(2, 1, 32, 32, generator=random) * 2 - 1 for _ in range(2))
    papers = {
        "esrgan": (Perceptual(weights=str(weights)), 35, "l1"),
        "srgan": (Perceptual(weights=str(weights), before_activation=False, distance="squared_error"), 36, "l2"),
    }
    for name, (loss, end, norm) in papers.items():
        loss.prepare(weights.parent)
        a, b = (network.features[:end](_coloured(x)) for x in (fake, real))
        apart = (a - b).abs().mean() if norm == "l1" else (a - b).square().mean()
        assert float(apart) > 0
        torch.testing.assert_close(loss(turn(fake, real)), apart, rtol=1e-5, atol=1e-7, msg=name)


def _coloured(grey: torch.Tensor) -> torch.Tensor:
    mean, deviation = (torch.tensor(of)[:, None, None] for of in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    return ((grey.repeat(1, 3, 1, 1) + 1) / 2 - mean) / deviation


def test_nothing_of_its_network_is_state_or_learns(weights: Path) -> None:
    loss = Perceptual(weights=str(weights))
    loss.prepare(weights.parent)
    assert not loss.state_dict()
    assert not list(loss.parameters())
    assert not list(loss.buffers())


@pytest.mark.slow
def test_a_run_with_it_resumes_bit_identical_and_two_workers_see_the_same(
    digits: Path, tmp_path: Path, weights: Path
) -> None:
    cfg = config(*RESTORES, f"gan.content.perceptual.weights={weights}")
    whole = run(cfg, digits, tmp_path / "whole")
    run(cfg, digits, tmp_path / "cut", 96)
    resumed = run(cfg, digits, tmp_path / "cut")
    assert (resumed["start"], same(resumed["state"], whole["state"])) == (64, True)
    assert not whole["state"]["modules"]
    pair = on_ranks(2, run, cfg, digits, tmp_path / "pair")
    for key, told in pair[0]["told"].items():
        if key[0] == "report":
            assert told == pytest.approx(whole["told"][key], abs=1e-4)


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        ((), r'^gan\.content\.perceptual\.weights="": must be the path or s3:// URI of VGG.*feature_matching'),
        (("weights=none.pth",), r"^gan\.content\.perceptual\.weights=none\.pth: there is no such file$"),
        (("weights=HERE", "sha256=00000000"), r"^gan\.content\.perceptual\.weights=.*its sha256 begins with"),
        (
            ("weights=HERE", "layers=[conv1_1,conv5_4]"),
            r"^gan\.content\.perceptual\.layers=.*need images of 16 pixels or more",
        ),
    ],
)
def test_what_is_missing_is_one_line_before_training(
    overrides: tuple[str, ...], line: str, digits: Path, weights: Path
) -> None:
    given = [f"gan.content.perceptual.{part.replace('HERE', str(weights))}" for part in overrides]
    with pytest.raises(ConfigError, match=line) as refused:
        check_fits(config(*RESTORES, *given), Dataset.open(digits, verify=False).facts)
    assert "\n" not in str(refused.value)


def test_weights_of_another_network_are_refused(weights: Path) -> None:
    loss = Perceptual(weights=str(weights), network="vgg16", layers=["conv1_1"])
    with pytest.raises(ConfigError, match=r"^weights=.*is of another network: features\.\d+\.\w+ is"):
        loss.prepare(weights.parent)


def test_the_digest_may_be_asked_for(weights: Path) -> None:
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    loss = Perceptual(weights=str(weights), sha256=digest[:12].upper())
    loss.prepare(weights.parent)
    assert loss.features is not None


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"network": "vgg11"}, r"network=vgg11: one of vgg16, vgg19"),
        ({"distance": "l2"}, r"distance=l2: one of l1, squared_error"),
        ({"layers": []}, r"layers=\[\]: at least one"),
        ({"layers": ["conv6_1"]}, r"layers=conv6_1: vgg19 has conv1_1"),
        ({"sha256": "xyz"}, r"sha256=xyz: must be 8 to 64 hexadecimal"),
    ],
)
def test_options_that_cannot_be(options: dict[str, object], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        components.build("content_loss", {"name": "perceptual", **options}, "gan.content.perceptual")
