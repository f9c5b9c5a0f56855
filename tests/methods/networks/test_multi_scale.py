"""Several PatchGANs, each at half the size of the one before."""

import pytest
import torch
from torch import nn

from ganflow.errors import ConfigError
from ganflow.methods.networks.multi_scale import MultiScaleDiscriminator


def test_each_scale_sees_half_of_the_one_before() -> None:
    D = MultiScaleDiscriminator((3, 52, 48), 4, "projection", None, 4, 2, 3)
    images, labels = torch.randn(2, 3, 52, 48), torch.tensor([1, 3])
    expected, seen = [], images
    for one in D.discriminators:
        expected.append(one(seen, labels).flatten(2))
        seen = nn.functional.avg_pool2d(seen, 3, 2, 1, count_include_pad=False)
    assert seen.shape[2:] == (7, 6)
    torch.testing.assert_close(D(images, labels), torch.cat(expected, 2))
    assert [part.shape[2] for part in expected] == [110, 16, 1]


def test_a_scale_that_is_too_small_is_one_line() -> None:
    with pytest.raises(ConfigError) as refused:
        MultiScaleDiscriminator((3, 32, 32), 0, "none", None, 4, 3, 2)
    assert str(refused.value) == "layers=3: 1 to 2 for images of 16×16"
    with pytest.raises(ConfigError, match="scales=0: must be at least 1"):
        MultiScaleDiscriminator((3, 32, 32), 0, "none", None, scales=0)
