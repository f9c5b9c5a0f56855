import pytest
import torch
from torch import nn

from ganflow.errors import ConfigError
from ganflow.methods.networks.dcgan import DCGANDiscriminator, DCGANGenerator, start_and_levels


def weights(network: nn.Module) -> int:
    """Weights of dense and convolution layers, without biases and normalisation."""
    return sum(p.numel() for p in network.parameters() if p.dim() > 1)


def test_at_64_pixels_it_is_the_paper_s_generator() -> None:
    """Radford et al. (2016), figure 1: 100 → 1024×4×4 → 512 → 256 → 128 → 3, by 5×5 convolutions."""
    G = DCGANGenerator(100, (3, 64, 64), 0, width=128, kernel=5)
    dense, kernels = 100 * 1024 * 4 * 4, 5 * 5 * (1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3)
    assert weights(G) == dense + kernels
    sizes: list[tuple[int, ...]] = []
    for layer in G.layers:
        if isinstance(layer, nn.ConvTranspose2d):
            layer.register_forward_hook(lambda _, __, out: sizes.append(tuple(out.shape[1:])))
    G(torch.zeros(2, 100))
    assert sizes == [(512, 8, 8), (256, 16, 16), (128, 32, 32), (3, 64, 64)]


def test_at_64_pixels_the_discriminator_mirrors_it() -> None:
    D = DCGANDiscriminator((3, 64, 64), 0, "none", width=128, kernel=5)
    assert weights(D) == 5 * 5 * (3 * 128 + 128 * 256 + 256 * 512 + 512 * 1024) + 1024 * 4 * 4


def test_with_batch_normalisation_every_layer_but_the_first_is_normalised() -> None:
    D = DCGANDiscriminator((3, 64, 64), 0, "none", width=8, norm="batch")
    assert [m.num_features for m in D.modules() if isinstance(m, nn.BatchNorm2d)] == [16, 32, 64]
    G = DCGANGenerator(10, (3, 64, 64), 0, width=8)
    assert [m.num_features for m in G.modules() if isinstance(m, nn.BatchNorm2d)] == [64, 32, 16, 8]
    assert not [m for m in DCGANGenerator(10, (3, 64, 64), 0, norm="none").modules() if isinstance(m, nn.BatchNorm2d)]


def test_weights_start_at_a_spread_of_two_hundredths() -> None:
    torch.manual_seed(0)
    for network in (DCGANGenerator(32, (3, 32, 32), 0), DCGANDiscriminator((3, 32, 32), 0, "none")):
        layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
        for weight in (m.weight for m in layers if m.weight.numel() > 2000):
            assert float(weight.detach().std()) == pytest.approx(0.02, rel=0.05)
            assert abs(float(weight.detach().mean())) < 0.002


@pytest.mark.parametrize("kernel", [4, 5])
@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("resolution", [4, 14, 7 * 16])
def test_it_makes_and_judges_every_size_that_doubling_reaches(resolution: int, norm: str, kernel: int) -> None:
    G = DCGANGenerator(3, (2, resolution, resolution), 0, width=2, kernel=kernel, norm=norm)
    D = DCGANDiscriminator((2, resolution, resolution), 0, "none", width=2, kernel=kernel, norm=norm)
    images = G(torch.randn(3, 3))
    assert images.shape == (3, 2, resolution, resolution)
    assert D(images).shape == (3,)


SIZES = {4: (2, 1), 8: (2, 2), 14: (7, 1), 16: (4, 2), 28: (7, 2), 32: (4, 3), 56: (7, 3), 64: (4, 4), 1024: (4, 8)}


@pytest.mark.parametrize(("resolution", "expected"), SIZES.items())
def test_the_first_map_is_4_7_or_2_pixels_wide_and_doubled_twice_where_it_can_be(
    resolution: int, expected: tuple[int, int]
) -> None:
    assert start_and_levels(resolution) == expected


@pytest.mark.parametrize("resolution", [1, 2, 3, 5, 6, 7, 9, 10, 12, 30, 63, 100])
@pytest.mark.parametrize(
    "build", [lambda r: DCGANGenerator(3, (1, r, r), 0), lambda r: DCGANDiscriminator((1, r, r), 0, "none")]
)
def test_a_size_that_doubling_does_not_reach_is_refused(build, resolution: int) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError) as refused:
        build(resolution)
    hint = "set data.resize to 8, 16, 28, 32, 64, …"
    assert str(refused.value) == f"name=dcgan: cannot make {resolution}×{resolution} images; {hint}"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"width": 0}, "width=0: must be more than 0"),
        ({"kernel": 3}, "kernel=3: one of 4, 5"),
        ({"norm": "layer"}, "norm=layer: one of none, batch"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], line: str) -> None:
    for build in (
        lambda: DCGANGenerator(3, (1, 8, 8), 0, **options),
        lambda: DCGANDiscriminator((1, 8, 8), 0, "none", **options),
    ):
        with pytest.raises(ConfigError) as refused:
            build()
        assert str(refused.value) == line
