"""The U-Net discriminator beside its description in the paper, written out step by step."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu

from ganflow.errors import ConfigError
from ganflow.methods.networks.unet import UNetDiscriminator


def written_out(weights: dict[str, Tensor], images: Tensor) -> Tensor:
    """Down three times, up three times; what comes up is added to what went down at that size."""
    whole = leaky_relu(conv2d(images, weights["first.weight"], weights["first.bias"], padding=1), 0.2)
    half = leaky_relu(conv2d(whole, weights["down.0.weight"], stride=2, padding=1), 0.2)
    quarter = leaky_relu(conv2d(half, weights["down.1.weight"], stride=2, padding=1), 0.2)
    eighth = leaky_relu(conv2d(quarter, weights["down.2.weight"], stride=2, padding=1), 0.2)
    h = eighth
    for number, beside in enumerate((quarter, half, whole)):
        enlarged = nn.Upsample(scale_factor=2, mode="bilinear")(h)
        h = beside + leaky_relu(conv2d(enlarged, weights[f"up.{number}.weight"], padding=1), 0.2)
    for number in (0, 1):
        h = leaky_relu(conv2d(h, weights[f"refine.{number}.weight"], padding=1), 0.2)
    return conv2d(h, weights["head.linear.weight"], weights["head.linear.bias"], padding=1)


def test_it_is_the_paper_s() -> None:
    D = UNetDiscriminator((3, 32, 48), 0, "none", None, 4, spectral_norm=False)
    images = torch.randn(2, 3, 32, 48)
    assert D(images).shape == (2, 1, 32, 48)
    torch.testing.assert_close(D(images), written_out(D.state_dict(), images))
    assert [tuple(layer.weight.shape[:2]) for layer in D.down] == [(8, 4), (16, 8), (32, 16)]


def test_other_sizes_are_one_line() -> None:
    with pytest.raises(ConfigError) as refused:
        UNetDiscriminator((1, 28, 32), 0, "none", None)
    hint = "set data.resize to a multiple of 8, such as 32 or 64"
    assert str(refused.value) == f"name=unet: cannot make 32×28 images; {hint}"
