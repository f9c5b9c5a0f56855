"""The Inception network against torch-fidelity's own. `make test-system` installs it without torchvision."""

from pathlib import Path

import pytest
import torch

from ganflow.evaluation.extractors.inception_v3 import InceptionV3, resize
from tests.support import torch_fidelity
from tests.support.inception import random_images, random_network, random_weights
from tests.support.torch_fidelity import CASES


def close(found: torch.Tensor, wanted: torch.Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(random_weights(), path)
    return path


@torch.inference_mode()
@pytest.mark.parametrize(("channels", "resolution"), CASES)
def test_torch_fidelity_with_our_weights(weights_file: Path, channels: int, resolution: int) -> None:
    images = random_images(2, channels, resolution)
    features, logits = random_network()(images)
    wanted_features, wanted_logits = torch_fidelity.network(weights_file)(images.repeat(1, 3 // channels, 1, 1))
    assert (features.shape, logits.shape) == ((2, 2048), (2, 1008))
    close(features, wanted_features)
    close(logits, wanted_logits)


def test_we_take_the_weights_of_torch_fidelity_and_it_takes_ours(weights_file: Path) -> None:
    theirs = torch_fidelity.network(weights_file).state_dict()
    assert list(theirs) == list(InceptionV3().state_dict())
    InceptionV3().load_state_dict(theirs)


@pytest.mark.parametrize("resolution", [8, 28, 32, 64, 299, 400])
def test_torch_fidelity_resizes_to_the_same_bits(resolution: int) -> None:
    like_tensorflow = torch_fidelity.module("interpolate_compat_tensorflow").interpolate_bilinear_2d_like_tensorflow1x
    images = random_images(2, 3, resolution).float()
    assert torch.equal(resize(images), like_tensorflow(images, (299, 299), align_corners=False))
