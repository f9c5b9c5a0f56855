"""A check builds networks without values, as quickly as without PyTorch's symbolic mathematics."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from ganflow.methods.build import shapes_only

QUICKLY = """
import sys
from ganflow.config.composition import compose
from ganflow.data.prepared.dataset import Facts
from ganflow.methods.build import check_fits
check_fits(compose(["gan/generator=dcgan", "gan/discriminator=dcgan"]), Facts((3, 16, 16), 10))
print("sympy" in sys.modules)
"""


def test_tensors_have_shapes_and_nothing_is_drawn() -> None:
    before = torch.random.get_rng_state()
    with shapes_only():
        layer, drawn = nn.Conv2d(3, 5, 3), torch.randn(2, 7)
        assert nn.init.normal_(layer.weight, std=0.02) is layer.weight
        nn.init.kaiming_uniform_(tensor=layer.weight)
        drawn.uniform_(0, 1)
    assert (layer.weight.shape, drawn.shape) == ((5, 3, 3, 3), (2, 7))
    assert layer.weight.is_meta
    assert drawn.is_meta
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not nn.Conv2d(3, 5, 3).weight.is_meta


@pytest.mark.slow
def test_a_check_does_not_load_symbolic_mathematics() -> None:
    run = subprocess.run([sys.executable, "-c", QUICKLY], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
