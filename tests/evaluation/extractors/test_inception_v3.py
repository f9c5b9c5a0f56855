"""The network against the figures that torch-fidelity's gave; against itself in tests/system."""

import json

import numpy as np
import pytest
import torch
from torch import Tensor

from ganflow.evaluation.extractors.inception_v3 import InceptionV3, resize
from tests.support.inception import random_images
from tests.support.torch_fidelity import CASES, RECORDED, excerpt

# Convolutions by block, as the public file names them.
STEM = "Conv2d_1a_3x3 Conv2d_2a_3x3 Conv2d_2b_3x3 Conv2d_3b_1x1 Conv2d_4a_3x3"
A = "branch1x1 branch5x5_1 branch5x5_2 branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3 branch_pool"
B = "branch3x3 branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3"
C = (
    "branch1x1 branch7x7_1 branch7x7_2 branch7x7_3 branch7x7dbl_1 branch7x7dbl_2 branch7x7dbl_3 branch7x7dbl_4 "
    "branch7x7dbl_5 branch_pool"
)
D = "branch3x3_1 branch3x3_2 branch7x7x3_1 branch7x7x3_2 branch7x7x3_3 branch7x7x3_4"
E = (
    "branch1x1 branch3x3_1 branch3x3_2a branch3x3_2b branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3a branch3x3dbl_3b "
    "branch_pool"
)
BLOCKS = {"5b": A, "5c": A, "5d": A, "6a": B, "6b": C, "6c": C, "6d": C, "6e": C, "7a": D, "7b": E, "7c": E}
TENSORS = [
    "conv.weight",
    *(f"bn.{t}" for t in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")),
]

RECORDED_CASES = json.loads(RECORDED.read_text(encoding="utf-8"))


def close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize(("channels", "resolution"), CASES)
def test_figures_that_torch_fidelity_gave(network: InceptionV3, channels: int, resolution: int) -> None:
    recorded = RECORDED_CASES[f"{channels}x{resolution}"]
    for name, values in excerpt(*network(random_images(1, channels, resolution))).items():
        assert len(values) == 16
        close(torch.tensor(values), torch.tensor(recorded[name]))


@torch.inference_mode()
def test_recorded_figures_tell_images_apart() -> None:
    figures = torch.tensor([case["features"] for case in RECORDED_CASES.values()])
    apart = (figures[:, None] - figures[None]).abs().amax(2) + torch.eye(len(figures))
    assert apart.min() > 0.02  # 200 times what may differ


def test_parameters_have_the_public_file_s_names(network: InceptionV3) -> None:
    convolutions = STEM.split() + [f"Mixed_{b}.{c}" for b, names in BLOCKS.items() for c in names.split()]
    assert len(convolutions) == 94
    wanted = [f"{c}.{t}" for c in convolutions for t in TENSORS] + ["fc.weight", "fc.bias"]
    assert list(network.state_dict()) == wanted


def test_it_has_as_many_parameters_as_are_published(network: InceptionV3) -> None:
    trunk = 23_834_568 - (2048 + 1) * 1000  # torchvision's, without auxiliary outputs and without its head
    assert sum(p.numel() for p in network.parameters()) == trunk + (2048 + 1) * 1008


@torch.inference_mode()
def test_logits_are_without_bias(network: InceptionV3) -> None:
    features, logits = network(random_images(1, 3, 32))
    assert network.fc.bias.abs().max() > 0.1
    close(logits, features @ network.fc.weight.T)


@torch.inference_mode()
def test_grey_is_three_equal_channels_and_uint8_is_its_float(network: InceptionV3) -> None:
    grey = random_images(1, 1, 32)
    features = network(grey)[0]
    assert features.isfinite().all()
    assert torch.equal(network(grey.repeat(1, 3, 1, 1))[0], features)
    assert torch.equal(network(grey.float())[0], features)


def by_definition(image: np.ndarray, side: int) -> np.ndarray:
    """Of one channel (H, W), pixel by pixel: the mean of the four that surround its place, by nearness."""
    height, width = image.shape
    result = np.empty((side, side))
    for i, j in np.ndindex(side, side):
        y, x = i * height / side, j * width / side
        top, left = int(y), int(x)
        rows = [top, min(top + 1, height - 1)]
        columns = [left, min(left + 1, width - 1)]
        near = np.outer([1 - (y - top), y - top], [1 - (x - left), x - left])
        result[i, j] = (image[np.ix_(rows, columns)] * near).sum()
    return result


@pytest.mark.parametrize(("height", "width", "side"), [(8, 8, 29), (5, 7, 13), (40, 31, 16), (1, 3, 8)])
def test_resize_is_tensorflow_s(height: int, width: int, side: int) -> None:
    image = random_images(1, 1, max(height, width))[..., :height, :width].float()
    wanted = torch.from_numpy(by_definition(image[0, 0].double().numpy(), side)).float()
    torch.testing.assert_close(resize(image, side)[0, 0], wanted, rtol=1e-5, atol=1e-3)


def test_resize_to_the_same_side_changes_nothing() -> None:
    image = random_images(1, 3, 299).float()
    assert torch.equal(resize(image), image)
