import pytest
import torch
from torch import nn

from ganflow.config import components
from ganflow.errors import ConfigError
from ganflow.methods.networks.dense_conv import DenseConvDiscriminator, DenseConvGenerator


def test_the_generator_goes_from_dense_layers_over_7_and_14_to_28_pixels() -> None:
    G = DenseConvGenerator(100, (1, 28, 28), 0)
    dense = [(m.in_features, m.out_features) for m in G.modules() if isinstance(m, nn.Linear)]
    assert dense == [(100, 256), (256, 512), (512, 1024), (1024, 7 * 7 * 256)]
    assert [type(m).__name__ for m in G.dense] == ["Linear", "LeakyReLU", "BatchNorm1d"] * 3 + ["Linear"]
    sizes: list[tuple[int, ...]] = []
    for layer in G.layers:
        if isinstance(layer, nn.ConvTranspose2d):
            assert layer.kernel_size == (5, 5)
            layer.register_forward_hook(lambda _, inputs, out: sizes.extend([inputs[0].shape[1:], out.shape[1:]]))
    images = G(torch.randn(2, 100))
    assert sizes == [(256, 7, 7), (128, 14, 14), (128, 14, 14), (1, 28, 28)]
    torch.testing.assert_close(images, images.clamp(-1, 1))
    norms = [m for m in G.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert [(m.num_features, m.momentum) for m in norms] == [(256, 0.2), (512, 0.2), (1024, 0.2), (128, 0.2)]
    assert {m.negative_slope for m in G.modules() if isinstance(m, nn.LeakyReLU)} == {0.2}


def test_the_map_is_activated_and_normalised_where_that_is_asked_for() -> None:
    """The printed network: 14,391,809 parameters, 25,088 of them the map's normalisation."""
    plain, whole = (DenseConvGenerator(100, (1, 28, 28), 0, norm_map=flag, eps=0.001) for flag in (False, True))
    count = [sum(p.numel() for p in G.parameters()) for G in (plain, whole)]
    assert count == [14_391_809 - 2 * 7 * 7 * 256, 14_391_809]
    assert [type(m).__name__ for m in whole.dense] == ["Linear", "LeakyReLU", "BatchNorm1d"] * 4
    norms = [m for m in whole.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert [(m.num_features, m.eps) for m in norms] == [(n, 0.001) for n in (256, 512, 1024, 12544, 128)]


def test_a_file_that_names_no_newer_option_is_the_network_that_it_was() -> None:
    node = {"name": "dense_conv", "widths": [4, 4], "width": 2, "slope": 0.2, "momentum": 0.2}
    G = components.build("generator", node, "network", latent_dim=3, shape=(1, 8, 8), num_classes=0)
    layers = {name.rpartition(".")[0] for name in G.state_dict()}
    assert layers == {"dense.0", "dense.2", "dense.3", "dense.5", "dense.6", "layers.0", "layers.1", "layers.3"}
    assert {m.eps for m in G.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)} == {1e-5}


def test_the_discriminator_is_dense_with_dropout() -> None:
    D = DenseConvDiscriminator((1, 28, 28), 0, "none")
    dense = [(m.in_features, m.out_features) for m in D.modules() if isinstance(m, nn.Linear)]
    assert dense == [(784, 1024), (1024, 512), (512, 256), (256, 1)]
    assert [type(m).__name__ for m in D.layers] == ["Flatten", *["Linear", "LeakyReLU", "Dropout"] * 3]
    assert {m.p for m in D.modules() if isinstance(m, nn.Dropout)} == {0.3}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"widths": []}, "widths=[]: at least one width, each more than 0"),
        ({"width": 3}, "width=3: must be even and more than 0"),
        ({"eps": 0.0}, "eps=0.0: must be more than 0"),
        ({"init": "zeros"}, "init=zeros: one of torch, he, glorot"),
        ({"momentum": 1.5}, "momentum=1.5: more than 0, at most 1: the share of the newest batch"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        DenseConvGenerator(3, (1, 8, 8), 0, **options)
    assert str(refused.value) == line


@pytest.mark.parametrize("resolution", [1, 2, 6, 10, 30])
def test_a_side_that_is_no_multiple_of_four_is_refused(resolution: int) -> None:
    with pytest.raises(ConfigError) as refused:
        DenseConvGenerator(3, (1, resolution, resolution), 0)
    hint = "set data.resize to a multiple of 4, such as 28 or 32"
    assert str(refused.value) == f"name=dense_conv: cannot make {resolution}×{resolution} images; {hint}"
