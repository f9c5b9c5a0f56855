import pytest
import torch
from torch import nn

from ganflow.errors import ConfigError
from ganflow.methods.networks.dcgan5x5 import DCGAN5x5Discriminator, DCGAN5x5Generator


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_the_printed_network_has_as_many_parameters_as_in_keras() -> None:
    """At 16×16×3, layer by layer: weights, biases where there are some, two of every normalised value."""
    dense, maps = 100 * 4096 + 2 * 4096, 25 * (256 * 128 + 128 * 64 + 64 * 3)
    assert count(DCGAN5x5Generator(100, (3, 16, 16), 0)) == dense + maps + 128 + 64 + 3 + 2 * (128 + 64) == 1_447_171
    judging = 25 * (3 * 64 + 64 * 128) + 64 + 128 + 4 * 4 * 128
    assert count(DCGAN5x5Discriminator((3, 16, 16), 0, "none")) == judging == 211_840


@pytest.mark.parametrize(("resolution", "first"), [(8, 2), (16, 4), (28, 7), (32, 8), (64, 16)])
def test_the_first_map_is_a_quarter_of_the_image(resolution: int, first: int) -> None:
    G, D = (
        DCGAN5x5Generator(5, (1, resolution, resolution), 0, width=2),
        DCGAN5x5Discriminator((1, resolution, resolution), 0, "none", width=2),
    )
    sides: list[int] = []
    for layer in [*G.layers, *D.layers]:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            assert layer.kernel_size == (5, 5)
            layer.register_forward_hook(lambda _, inputs, out: sides.extend([inputs[0].shape[-1], out.shape[-1]]))
    D(G(torch.randn(2, 5)))
    rising = [first, first, first, 2 * first, 2 * first, 4 * first]
    assert sides == [*rising, 4 * first, 2 * first, 2 * first, first]


def test_it_is_normalised_and_starts_as_in_keras() -> None:
    torch.manual_seed(0)
    G, D = DCGAN5x5Generator(100, (1, 28, 28), 0), DCGAN5x5Discriminator((1, 28, 28), 0, "none")
    norms = [m for m in G.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert [(m.num_features, m.momentum, m.eps) for m in norms] == [(n, 0.01, 0.001) for n in (12544, 128, 64)]
    for network in (G, D):
        assert {m.negative_slope for m in network.modules() if isinstance(m, nn.LeakyReLU)} == {0.3}
        for layer in network.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                fans = layer.weight[0].numel() + layer.weight.shape[0] * layer.weight[0, 0].numel()
                assert 0.9 < float(layer.weight.detach().abs().max()) / (6 / fans) ** 0.5 <= 1
                assert layer.bias is None or not layer.bias.any()
    assert D.head.linear.bias is None


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"width": 0}, "width=0: must be more than 0"),
        ({"momentum": 0.0}, "momentum=0.0: more than 0, at most 1: the share of the newest batch"),
        ({"eps": 0.0}, "eps=0.0: must be more than 0"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        DCGAN5x5Generator(3, (1, 8, 8), 0, **options)
    assert str(refused.value) == line


@pytest.mark.parametrize("resolution", [1, 2, 6, 10, 30])
def test_a_side_that_is_not_a_multiple_of_four_is_refused(resolution: int) -> None:
    hint = "set data.resize to a multiple of 4, such as 16 or 28"
    line = f"name=dcgan5x5: cannot make {resolution}×{resolution} images; {hint}"
    with pytest.raises(ConfigError) as of_g:
        DCGAN5x5Generator(3, (1, resolution, resolution), 0)
    with pytest.raises(ConfigError) as of_d:
        DCGAN5x5Discriminator((1, resolution, resolution), 0, "none")
    assert (str(of_g.value), str(of_d.value)) == (line, line)
