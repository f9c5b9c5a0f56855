"""Independent references in float64 for the layers, and published parameter counts for the whole."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d, correlate2d
from torch import Tensor, nn

from ganflow.errors import ConfigError
from ganflow.methods.networks.layers.minibatch_deviation import MinibatchDeviation
from ganflow.methods.networks.stylegan2 import (
    ModulatedConv,
    ResidualDown,
    StyledConv,
    StyleGAN2Discriminator,
    StyleGAN2Generator,
)

SMALL = {"width": 6, "w_dim": 5}
BLUR = 4 * np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def generator(resolution: int = 16, classes: int = 0, **options: Any) -> StyleGAN2Generator:
    torch.manual_seed(0)
    return StyleGAN2Generator(4, resolution, 2, classes, **{**SMALL, **options}).double()


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def one_kernel_per_image(layer: ModulatedConv, x: Tensor, w: Tensor, up: bool) -> Tensor:
    """Eq. 1 to 3 of the paper, image by image and map by map."""
    weight = layer.scaled("weight").detach().numpy()
    images = []
    for image, s in zip(x.numpy(), layer.style(w).detach().numpy(), strict=True):
        kernels = weight * s[None, :, None, None]
        if layer.demodulate:
            kernels = kernels / np.sqrt((kernels**2).sum((1, 2, 3), keepdims=True) + 1e-8)
        maps = [sum(one_map(m, k, up) for m, k in zip(image, kernel, strict=True)) for kernel in kernels]
        images.append(np.array(maps) + layer.bias.detach().numpy()[:, None, None])
    return torch.tensor(np.array(images))


def one_map(m: np.ndarray, kernel: np.ndarray, up: bool) -> np.ndarray:
    if not up:
        return correlate2d(m, kernel, mode="same")
    wide = np.zeros((2 * m.shape[0] - 1, 2 * m.shape[1] - 1))
    wide[::2, ::2] = m
    return convolve2d(np.pad(convolve2d(wide, kernel), 1), BLUR, mode="valid")


@pytest.mark.parametrize(("kernel", "demodulate", "up"), [(3, True, False), (3, True, True), (1, False, False)])
def test_a_modulated_convolution_is_that_by_each_image_s_own_kernel(kernel: int, demodulate: bool, up: bool) -> None:
    torch.manual_seed(0)
    layer = ModulatedConv(3, 4, 5, kernel, demodulate, up).double()
    nn.init.normal_(layer.bias)
    x, w = normal(2, 3, 6, 6), normal(2, 5, seed=2)
    expected = one_kernel_per_image(layer, x, w, up)
    assert expected.shape == (2, 4, 12, 12) if up else (2, 4, 6, 6)
    torch.testing.assert_close(layer(x, w), expected)


@pytest.mark.parametrize("up", [False, True])
def test_a_modulated_convolution_can_be_differentiated_twice(up: bool) -> None:
    torch.manual_seed(0)
    layer = ModulatedConv(2, 2, 3, up=up).double()
    assert torch.autograd.gradgradcheck(layer, (normal(2, 2, 3, 3).requires_grad_(), normal(2, 3).requires_grad_()))


def deviation(images: np.ndarray, groups: list[list[int]]) -> np.ndarray:
    """Karras et al. (2018), section 3, with one group after the other."""
    out = np.zeros(len(images))
    for rows in groups:
        out[rows] = np.sqrt(images[rows].var(axis=0) + 1e-8).mean()
    return out


@pytest.mark.parametrize(
    ("images", "group", "groups"),
    [
        (8, 4, [[0, 1, 2, 3], [4, 5, 6, 7]]),
        (5, 4, [[0, 1, 2], [3, 4]]),
        (7, 3, [[0, 1, 2], [3, 4], [5, 6]]),
        (3, 32, [[0, 1, 2]]),
        (2, 1, [[0], [1]]),
    ],
)
def test_the_minibatch_deviation_is_that_of_each_group(images: int, group: int, groups: list[list[int]]) -> None:
    x = normal(images, 3, 4, 4)
    out = MinibatchDeviation(group)(x)
    assert out.shape == (images, 4, 4, 4)
    assert torch.equal(out[:, :3], x)
    expected = torch.tensor(deviation(x.numpy(), groups))[:, None, None].expand(-1, 4, 4)
    torch.testing.assert_close(out[:, 3], expected)


def test_halves_of_a_batch_have_the_groups_of_the_whole() -> None:
    x, layer = normal(8, 3, 4, 4), MinibatchDeviation(4)
    torch.testing.assert_close(torch.cat([layer(x[:4]), layer(x[4:])]), layer(x), rtol=0, atol=0)


def test_noise_is_torch_s_in_training_and_constant_in_eval() -> None:
    layer, x, w = StyledConv(2, 3, 5, 8, up=False), torch.randn(2, 2, 8, 8), torch.randn(2, 5)

    def seeded(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return layer(x, w)

    assert torch.equal(seeded(0), seeded(1))  # its strength starts at zero
    nn.init.ones_(layer.strength)
    assert torch.equal(seeded(0), seeded(0))
    assert not torch.equal(seeded(0), seeded(1))
    layer.eval()
    assert torch.equal(seeded(0), seeded(1))
    assert "noise" in layer.state_dict()


def test_a_residual_block_averages_both_paths_in_energy() -> None:
    torch.manual_seed(0)
    block, x = ResidualDown(4, 6, residual=True).double(), normal(2, 4, 8, 8)
    plain = ResidualDown(4, 6, residual=False).double()
    plain.load_state_dict({k: v for k, v in block.state_dict().items() if "shortcut" not in k})
    assert block.shortcut is not None
    down, convolution = block.shortcut
    beside = nn.functional.conv2d(down(x), convolution.weight / 2)  # of four maps
    torch.testing.assert_close(block(x), (plain(x) + beside) / math.sqrt(2))


def test_only_the_direction_of_z_counts() -> None:
    G, z = generator().eval(), normal(3, 4)
    torch.testing.assert_close(G(5 * z), G(z))
    assert not torch.allclose(G(-z), G(z))


@pytest.mark.parametrize("classes", [0, 3])
def test_images_depend_on_z_through_ws_alone(classes: int) -> None:
    G, labels = generator(classes=classes).eval(), torch.tensor([0, 2, 1]) if classes else None
    images, ws = G(normal(3, 4), labels, return_w=True)
    assert G.has_w
    assert ws.shape == (3, G.num_ws, 5) == (3, 6, 5)
    torch.testing.assert_close(images, G(normal(3, 4), labels))
    slope = torch.autograd.grad((images * normal(*images.shape)).sum(), ws, create_graph=True)[0]
    assert (slope.abs().sum((0, 2)) > 0).all()  # every row is used
    slope.square().sum().backward()  # path length regularisation
    assert all(torch.isfinite(p.grad).all() for p in G.parameters() if p.grad is not None)
    assert G.convs[0].conv.weight.grad.abs().sum() > 0
    assert G.mapping.layers[0].weight.grad.abs().sum() > 0


def test_the_mean_of_w_follows_in_training_alone() -> None:
    G, z = generator(), normal(3, 4)
    w = G.eval()(z, return_w=True)[1][:, 0].mean(0).detach()
    assert not G.w_avg.any()
    G.train()(z)
    torch.testing.assert_close(G.w_avg, 0.005 * w)
    G(z)
    torch.testing.assert_close(G.w_avg, (0.005 + 0.995 * 0.005) * w)


def test_mixing_takes_later_rows_from_another_z() -> None:
    z = normal(3, 4)
    own = generator().eval()(z, return_w=True)[1]
    cuts = set()
    G = generator(style_mixing=1.0)
    for seed in range(40):
        torch.manual_seed(seed)
        ws = G(z, return_w=True)[1]
        same = [torch.equal(ws[:, row], own[:, row]) for row in range(6)]
        cuts.add(sum(same))
        assert same == sorted(same, reverse=True)
        assert (ws[:, sum(same) :] == ws[:, -1:]).all()
    assert cuts == {1, 2, 3, 4, 5}
    assert torch.equal(G.eval()(z, return_w=True)[1], own)


def test_mixing_happens_as_often_as_asked() -> None:
    G, z = generator(8, style_mixing=0.25), normal(1, 4)
    torch.manual_seed(0)
    mixed = sum(not torch.equal(ws[:, 0], ws[:, -1]) for ws in (G(z, return_w=True)[1] for _ in range(400)))
    assert 70 <= mixed <= 130


def test_the_projection_is_the_product_with_the_class_s_own_mapping() -> None:
    """StyleGAN2-ADA: logits are ⟨features, map(y)⟩ / √features, where y enters as a normalised embedding."""
    torch.manual_seed(0)
    D = StyleGAN2Discriminator(8, 2, 3, "projection", width=6).double()
    seen: dict[str, Tensor] = {}
    D.out.register_forward_hook(lambda _, __, out: seen.update(features=out))
    labels = torch.tensor([2, 0, 1, 1])
    logits = D(normal(4, 2, 8, 8), labels)
    embedded = D.mapping.embedding.weight.T[labels] / math.sqrt(3) + D.mapping.embedding.bias
    y = embedded / embedded.square().mean(1, keepdim=True).sqrt()
    for layer in D.mapping.layers:
        y = nn.functional.leaky_relu(y @ layer.weight.T * 0.01 / math.sqrt(6) + 0.01 * layer.bias, 0.2) * math.sqrt(2)
    assert len(D.mapping.layers) == 8
    torch.testing.assert_close(logits, (seen["features"] * y).sum(1) / math.sqrt(6))


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


# As stylegan2-ada-pytorch prints them while it starts at 1024 pixels (cfg=auto).
G_LAYERS = {512: 2622465, 256: (1442561, 721409), 128: (426369, 213249), 64: (139457, 69761), 32: (51297, 25665)}
RGB_LAYERS = {512: 264195, 256: 132099, 128: 66051, 64: 33027, 32: 16515}
D_LAYERS = {"conv": 2359808, "last": 2364416, "dense": 4194816, "out": 513}
DENSE = 262656
CIFAR_G = 2 * DENSE + 8192 + 7 * G_LAYERS[512] + 4 * RGB_LAYERS[512]
CIFAR_D = 4 * 512 + 6 * D_LAYERS["conv"] + D_LAYERS["last"] + D_LAYERS["dense"] + D_LAYERS["out"]


def test_layers_have_the_published_sizes() -> None:
    with torch.device("meta"):
        G = StyleGAN2Generator(512, 1024, 3, 0, halve_after=64)
    sizes = {512: (), **{w: sizes for w, sizes in G_LAYERS.items() if w < 512}}
    assert [count(conv) for conv in G.convs] == [G_LAYERS[512]] * 9 + [n for pair in sizes.values() for n in pair]
    assert [count(rgb) for rgb in G.outputs] == [RGB_LAYERS[512]] * 4 + list(RGB_LAYERS.values())


# Where it is published, then pixels, G, D, to within, options of G, options of D
SIZES: dict[str, tuple[int, float, float, float, dict[str, Any], dict[str, Any]]] = {
    "the table that stylegan2-ada-pytorch prints at 1024 pixels, cfg=auto": (
        (1024, 28794124, 29012513, 0, {"halve_after": 64}, {"halve_after": 64})
    ),
    "Huang et al. (2024), table 2, configuration A: StyleGAN2 at 256 pixels": (
        (256, 24.767e6, 24.001e6, 500, {"mapping_layers": 8}, {})
    ),
    "cfg=cifar, from the layers' sizes in the table at 1024 pixels": (
        (32, CIFAR_G, CIFAR_D, 0, {}, {"architecture": "orig", "mbstd_group": 32})
    ),
}


@pytest.mark.parametrize("source", SIZES)
def test_networks_have_the_published_sizes(source: str) -> None:
    resolution, of_g, of_d, within, g, d = SIZES[source]
    with torch.device("meta"):
        G = StyleGAN2Generator(512, resolution, 3, 0, **g)
        D = StyleGAN2Discriminator(resolution, 3, 0, "none", **d)
    assert abs(count(G) - of_g) <= within
    assert abs(count(D) - of_d) <= within


@pytest.mark.parametrize(("resolution", "hint"), [(4, 8), (28, 32), (100, 128)])
def test_only_powers_of_two_from_8_are_possible(resolution: int, hint: int) -> None:
    for build in (
        lambda: StyleGAN2Generator(4, resolution, 1, 0),
        lambda: StyleGAN2Discriminator(resolution, 1, 0, "none"),
    ):
        with pytest.raises(ConfigError) as refused:
            build()
        line = f"name=stylegan2: cannot make {resolution}×{resolution} images; set data.resize={hint}"
        assert str(refused.value) == line


@pytest.mark.parametrize(
    ("build", "line"),
    [
        (lambda: generator(w_dim=0), "w_dim=0: must be more than 0"),
        (lambda: generator(mapping_layers=0), "mapping_layers=0: must be more than 0"),
        (lambda: generator(style_mixing=1.1), "style_mixing=1.1: a probability, 0 to 1"),
        (lambda: generator(clamp=-1.0), "clamp=-1.0: must not be negative; 0 leaves activations as they are"),
        (
            lambda: StyleGAN2Discriminator(8, 1, 0, "none", clamp=-1.0),
            "clamp=-1.0: must not be negative; 0 leaves activations as they are",
        ),
        (
            lambda: StyleGAN2Discriminator(8, 1, 0, "none", architecture="skip"),
            "architecture=skip: one of resnet, orig",
        ),
        (
            lambda: StyleGAN2Discriminator(8, 1, 0, "none", mbstd_group=-1),
            "mbstd_group=-1: must not be negative; 0 leaves it out",
        ),
    ],
)
def test_impossible_options_are_refused(build, line: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError) as refused:
        build()
    assert str(refused.value) == line


def test_truncation_moves_w_towards_its_mean() -> None:
    """Karras et al. (2019), appendix B."""
    network = generator(classes=3).eval()
    torch.nn.init.normal_(network.w_avg)
    z, labels = normal(5, 4), torch.arange(5) % 3
    plain, ws = network(z, labels, return_w=True)
    assert torch.equal(network(z, labels, truncation=1.0), plain)
    half, moved = network(z, labels, return_w=True, truncation=0.5)
    torch.testing.assert_close(moved, network.w_avg + 0.5 * (ws - network.w_avg))
    torch.testing.assert_close(half, network._synthesise(moved))
    mean = network(z, labels, truncation=0.0)
    torch.testing.assert_close(mean, mean[:1].expand_as(mean))
    assert (half - plain).abs().max() > 1e-3
