from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganflow.config import components, composition, params_file
from ganflow.errors import ConfigError
from ganflow.methods.degradations.blur import Blur
from ganflow.methods.degradations.chain import DegradationChain
from ganflow.methods.degradations.defects import Defects
from ganflow.methods.degradations.downsample import Downsample
from ganflow.methods.degradations.grey import Grey
from ganflow.methods.degradations.hole import Hole
from ganflow.methods.degradations.jpeg import JPEG
from ganflow.methods.degradations.noise import Noise
from tests.methods.degradations.pixels import draws, images, photo

SHAPE = (3, 96, 128)


def nodes(*names: str) -> dict[str, dict[str, Any]]:
    return {name: {"name": name} for name in names}


def clean() -> Tensor:
    return images(photo(), photo()[::-1].copy(), photo()[:, ::-1].copy())


def test_every_degradation_composes_and_the_configuration_keeps_the_order(tmp_path: Path) -> None:
    names = ["noise", "blur", "downsample", "grey", "defects", "jpeg", "hole"]
    assert sorted(names) == list(components.choices("degradation"))
    config = composition.compose([f"given=[{','.join(names)}]", "given.jpeg.quality=10", "given.blur.sigma=0.7"])
    chain = DegradationChain(config.given, SHAPE)
    assert list(config.given) == list(chain.steps) == composition.dotted(config)["given"] == names
    assert [step.__class__ for step in chain.steps.values()] == [Noise, Blur, Downsample, Grey, Defects, JPEG, Hole]
    (tmp_path / "params.yaml").write_text(params_file.dump(config))
    assert list(params_file.load(tmp_path / "params.yaml").given) == names
    assert list(composition.override(config, ["given=[jpeg,blur]"]).given) == ["jpeg", "blur"]


def test_one_step_follows_the_other_each_with_draws_of_its_own() -> None:
    chain = DegradationChain(nodes("grey", "noise", "jpeg"), SHAPE)
    grey = Grey()(clean(), draws(3))
    expected = JPEG()(Noise()(grey, draws(3).substream("noise")), draws(3))
    assert torch.equal(chain(clean(), draws(3)), expected)
    assert chain.shape == (1, *SHAPE[1:])
    turned = DegradationChain(nodes("jpeg", "noise", "grey"), SHAPE)
    assert not torch.equal(turned(clean(), draws(3)), expected)


def test_noise_may_follow_fewer_pixels() -> None:
    chain = DegradationChain(nodes("downsample", "noise"), SHAPE)
    given = chain(clean(), draws(3))
    assert given.shape[1:] == chain.shape == (3, 48, 64)
    small = DegradationChain(nodes("downsample"), SHAPE)
    assert (given - small(clean(), draws(3))).std().item() * 127.5 == pytest.approx(25, rel=0.05)


def test_the_simple_methods_undo_the_last_step_first() -> None:
    chain = DegradationChain(nodes("grey", "downsample", "hole"), SHAPE)
    given = chain(clean(), draws(3))
    steps = chain.steps
    expected = steps["grey"].simple(steps["downsample"].simple(steps["hole"].simple(given)))
    assert torch.equal(chain.simple(given), expected)
    assert expected.shape == (3, *SHAPE)


def test_the_mask_is_the_last_channel() -> None:
    chain = DegradationChain(nodes("grey", "hole"), SHAPE)
    given = chain(clean(), draws(3))
    hidden = chain.hidden(given)
    assert chain.masks
    assert chain.shape == (2, 96, 128)
    assert hidden is not None
    assert torch.equal(hidden, given[:, 1:])
    without = DegradationChain(nodes("grey"), SHAPE)
    assert not without.masks
    assert without.hidden(given) is None


def test_no_step_at_all_changes_nothing() -> None:
    chain = DegradationChain({}, SHAPE)
    assert chain(clean(), draws(3)).equal(clean())
    assert chain.simple(clean()).equal(clean())
    assert chain.shape == SHAPE


@pytest.mark.parametrize("later", ["grey", "noise", "jpeg", "downsample", "blur"])
def test_nothing_follows_hidden_pixels(later: str) -> None:
    line = f"^given.{later}={later}: must come before hole, which hides pixels$"
    with pytest.raises(ConfigError, match=line):
        DegradationChain(nodes("hole", later), SHAPE)


@pytest.mark.parametrize(
    ("chain", "line"),
    [
        (
            nodes("grey", "downsample") | {"blur": {"name": "blur", "sigma": 12.0}},
            "given.blur.sigma=12.0: asks for sides",
        ),
        ({"downsample": {"name": "downsample", "factor": 5}}, "given.downsample.factor=5: must divide both sides"),
        (nodes("grey", "fog"), "given.fog.name=fog: one of blur, defects, downsample"),
        ({"jpeg": {"name": "jpeg", "quality": 0}}, "given.jpeg.quality=0: from 1 to 100"),
        ({"jpeg": {"name": "jpeg", "sigma": 1.0}}, "given.jpeg.sigma=1.0: no such key"),
    ],
)
def test_a_fault_is_one_line_with_its_key(chain: dict[str, dict[str, Any]], line: str) -> None:
    with pytest.raises(ConfigError, match=f"^{line}"):
        DegradationChain(chain, SHAPE)
