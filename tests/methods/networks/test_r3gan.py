import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganflow.errors import ConfigError
from ganflow.methods.networks.r3gan import R3GANDiscriminator, R3GANGenerator, ResidualBlock

SMALL = {"width": 16, "group": 4, "blocks": 1}
GAIN = math.sqrt(2 / 1.04)  # of LeakyReLU 0.2


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def blocks(network: nn.Module) -> list[ResidualBlock]:
    return [m for m in network.modules() if isinstance(m, ResidualBlock)]


@pytest.mark.parametrize("build", [lambda: R3GANGenerator(4, 16, 3, 0), lambda: R3GANDiscriminator(16, 3, 0, "none")])
def test_fixup_starts_every_block_as_the_identity(build) -> None:  # type: ignore[no-untyped-def]
    network = build()
    assert len(blocks(network)) == 2 * 3
    for block in blocks(network):
        x = torch.randn(2, 768, 4, 4)
        assert torch.equal(block.layers(x), torch.zeros_like(x))
        assert torch.equal(block(x), x)


def test_fixup_scales_the_other_layers_by_the_number_of_blocks() -> None:
    """Standard deviations of N(0, g²/fan_in), g = √(2/1.04)·L^(-1/4) (Huang et al., 2024, section 3)."""
    torch.manual_seed(0)
    for network in (R3GANGenerator(64, 32, 3, 0), R3GANDiscriminator(32, 3, 0, "none")):
        for block in blocks(network):
            first, _, second, _, third = block.layers
            assert float(first.weight.detach().std()) == pytest.approx(GAIN * 8**-0.25 / math.sqrt(768), rel=0.01)
            assert float(second.weight.detach().std()) == pytest.approx(GAIN * 8**-0.25 / math.sqrt(16 * 9), rel=0.01)
            assert not any(tensor.any() for tensor in (first.bias, second.bias, third.weight))
            assert third.bias is None


def test_a_block_is_its_equation() -> None:
    """``x + W₃ σ(W₂ σ(W₁ x + b₁) + b₂)``, W₂ group by group."""
    torch.manual_seed(0)
    block, x = ResidualBlock(4, 2, 2, 1).double(), normal(2, 4, 5, 5)
    for p in block.parameters():
        nn.init.normal_(p)
    first, _, second, _, third = block.layers
    h = nn.functional.leaky_relu(
        torch.einsum("oi,nihw->nohw", first.weight[..., 0, 0], x) + first.bias[:, None, None], 0.2
    )
    pairs = [nn.functional.conv2d(h[:, i : i + 2], second.weight[i : i + 2], padding=1) for i in range(0, 8, 2)]
    h = nn.functional.leaky_relu(torch.cat(pairs, dim=1) + second.bias[:, None, None], 0.2)
    torch.testing.assert_close(block(x), x + torch.einsum("oi,nihw->nohw", third.weight[..., 0, 0], h))


def test_the_first_map_is_a_basis_weighted_by_z() -> None:
    G, z = R3GANGenerator(3, 8, 2, 0, **SMALL).double(), normal(2, 3)
    seen: list[Tensor] = []
    G.layers.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    G(z)
    torch.testing.assert_close(seen[0], torch.einsum("cij,nc->ncij", G.basis, z @ G.dense.weight.T))


def test_the_last_map_is_weighed_by_a_basis() -> None:
    """A depthwise convolution with a kernel as large as the map, N(0, 1/fan_in) at first."""
    torch.manual_seed(0)
    D, images = R3GANDiscriminator(8, 2, 0, "none", **SMALL).double(), normal(4, 2, 8, 8)
    features = nn.functional.conv2d(D.layers(images), D.basis[:, None], groups=16)[..., 0, 0]
    torch.testing.assert_close(D(images), features @ D.dense.weight[0])
    assert float(R3GANDiscriminator(8, 2, 0, "none").basis.detach().std()) == pytest.approx(1 / 4, rel=0.03)


def test_the_projection_is_the_product_with_the_class_s_embedding() -> None:
    torch.manual_seed(0)
    D, labels = R3GANDiscriminator(8, 2, 3, "projection", **SMALL).double(), torch.tensor([1, 2, 0, 1])
    features: list[Tensor] = []
    D.dense.register_forward_hook(lambda _, __, out: features.append(out))
    logits = D(normal(4, 2, 8, 8), labels)
    torch.testing.assert_close(
        logits, torch.stack([f @ D.embedding.weight[y] for f, y in zip(features[0], labels, strict=True)])
    )


def test_embeddings_start_as_a_layer_on_one_hot_labels_does() -> None:
    torch.manual_seed(0)
    G, D = R3GANGenerator(64, 8, 3, 100), R3GANDiscriminator(8, 3, 100, "projection")
    assert float(G.latent.embedding.weight.detach().std()) == pytest.approx(1 / math.sqrt(100), rel=0.03)
    assert float(D.embedding.weight.detach().std()) == pytest.approx(1 / math.sqrt(768 * 100), rel=0.03)


def test_28_pixels_start_from_7() -> None:
    G, D = R3GANGenerator(3, 28, 1, 0, **SMALL), R3GANDiscriminator(28, 1, 0, "none", **SMALL)
    assert G.basis.shape == (16, 7, 7)
    assert D.basis.shape == (16, 7, 7)
    images = G(torch.randn(2, 3))
    assert images.shape == (2, 1, 28, 28)
    assert D(images).shape == (2,)


IMAGENET = {"width": 1536, "group": 32, "halve_after": 64}
# Huang et al. (2024), table 9, in millions: pixels, classes, options, G, D
TABLE_9: dict[str, tuple[int, int, dict[str, Any], float, float]] = {
    "Stacked MNIST": (32, 0, {}, 20.73, 20.68),
    "CIFAR-10": (32, 10, {}, 20.78, 21.28),
    "FFHQ-256": (256, 0, {}, 23.06, 23.01),
    "FFHQ-64": (64, 0, {}, 22.43, 22.38),
    "ImageNet-32": (32, 1000, IMAGENET, 82.91, 86.55),
    "ImageNet-64": (64, 1000, IMAGENET, 103.57, 107.21),
}


@pytest.mark.parametrize("data", TABLE_9)
def test_networks_have_the_paper_s_sizes(data: str) -> None:
    resolution, classes, options, of_g, of_d = TABLE_9[data]
    with torch.device("meta"):
        G = R3GANGenerator(64, resolution, 3, classes, **options)
        D = R3GANDiscriminator(resolution, 3, classes, "projection" if classes else "none", **options)
    millions = [round(sum(p.numel() for p in network.parameters()) / 1e6, 2) for network in (G, D)]
    assert millions == [of_g, of_d]


@pytest.mark.parametrize(("resolution", "hint"), [(4, 8), (10, 14), (30, 32), (57, 64)])
def test_other_sizes_are_refused(resolution: int, hint: int) -> None:
    for build in (lambda: R3GANGenerator(4, resolution, 1, 0), lambda: R3GANDiscriminator(resolution, 1, 0, "none")):
        with pytest.raises(ConfigError) as refused:
            build()
        line = f"name=r3gan: cannot make {resolution}×{resolution} images; set data.resize={hint}"
        assert str(refused.value) == line


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"blocks": 0}, "blocks=0: must be more than 0"),
        ({"expansion": 0}, "expansion=0: must be more than 0"),
        ({"group": 0}, "group=0: must be more than 0"),
        ({"width": 20}, "group=16: must divide width·expansion of every stage, here 40"),
        ({"width": 8, "halve_after": 4}, "group=16: must divide width·expansion of every stage, here 8"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], line: str) -> None:
    for build in (
        lambda: R3GANGenerator(4, 8, 1, 0, **options),
        lambda: R3GANDiscriminator(8, 1, 0, "none", **options),
    ):
        with pytest.raises(ConfigError) as refused:
            build()
        assert str(refused.value) == line
