from itertools import pairwise
from math import sqrt

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, relu

from ganflow.errors import ConfigError
from ganflow.methods.networks.layers.conditioning import ConditionalBatchNorm2d
from ganflow.methods.networks.layers.residual import DownBlock, UpBlock
from ganflow.methods.networks.resnet import ResNetDiscriminator, ResNetGenerator


def conv(before: int, after: int, kernel: int = 3) -> int:
    return kernel**2 * before * after + after


def up(before: int, after: int) -> int:
    """Two 3×3 convolutions, a 1×1 shortcut, and gain and bias of two normalisations."""
    return conv(before, after) + conv(after, after) + conv(before, after, 1) + 2 * before + 2 * after


def down(before: int, after: int, hidden: int, shortcut: bool = True) -> int:
    return conv(before, hidden) + conv(hidden, after) + (conv(before, after, 1) if shortcut else 0)


def total_up(start: int, widths: list[int]) -> int:
    """From z of 128 dimensions to three channels, without classes."""
    dense = (128 + 1) * start**2 * widths[0]
    blocks = sum(up(before, after) for before, after in pairwise(widths))
    return dense + blocks + 2 * widths[-1] + conv(widths[-1], 3)


def total_down(blocks: list[tuple[int, ...]], last: int) -> int:
    """The blocks of (before, after, hidden), and a dense layer to one logit."""
    return sum(down(*block) for block in blocks) + last + 1


DOUBLING = [(3, 64, 64), (64, 128, 64), (128, 256, 128), (256, 512, 256), (512, 1024, 512)]
# Channels of Miyato et al. (2018), tables 4 (32 pixels) and 5 (48), and of Miyato & Koyama (2018) (64 and 128).
# Beside the arithmetic the counts of mimicry's networks (kwotsin/mimicry: torch_mimicry/nets/sngan/sngan_*.py).
G_COUNTS = {
    32: (total_up(4, [256, 256, 256, 256]), 4_276_739),
    48: (total_up(6, [512, 256, 128, 64]), 4_878_083),
    64: (total_up(4, [1024, 512, 256, 128, 64]), 12_220_675),
    128: (total_up(4, [1024, 1024, 512, 256, 128, 64]), 32_150_787),
}
D_COUNTS = {
    32: (total_down([(3, 128, 128), (128, 128, 128), *[(128, 128, 128, False)] * 2], 128), 1_053_825),
    48: (total_down(DOUBLING, 1024), 10_141_441),  # its last block does not halve, with a shortcut all the same
    64: (total_down(DOUBLING, 1024), 10_141_441),
    128: (total_down([*DOUBLING, (1024, 1024, 1024, False)], 1024), 29_017_857),
}


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("resolution", G_COUNTS)
def test_there_are_as_many_parameters_as_published(resolution: int) -> None:
    with torch.device("meta"):
        G, D = ResNetGenerator(128, resolution, 3, 0), ResNetDiscriminator(resolution, 3, 0, "none")
    assert (count(G), count(G)) == G_COUNTS[resolution]
    assert (count(D), count(D)) == D_COUNTS[resolution]


def test_wgan_gp_s_networks_have_as_many_parameters_as_published() -> None:
    """gan_cifar_resnet.py of its authors, DIM_G = DIM_D = 128, unconditional."""
    with torch.device("meta"):
        G = ResNetGenerator(128, 32, 3, 0, width=32)
        D = ResNetDiscriminator(32, 3, 0, "none", width=64, spectral_norm=False, pooling="mean")
    assert count(G) == total_up(4, [128] * 4) == 1_204_483
    assert count(D) == D_COUNTS[32][0]


def test_the_last_map_is_summed_or_averaged() -> None:
    images = torch.randn(3, 3, 32, 32)
    torch.manual_seed(0)
    total = ResNetDiscriminator(32, 3, 0, "none", width=2, spectral_norm=False)
    mean = ResNetDiscriminator(32, 3, 0, "none", width=2, spectral_norm=False, pooling="mean")
    mean.load_state_dict(total.state_dict())
    torch.testing.assert_close(total(images), 64 * mean(images))  # no bias yet; the last map is 8×8
    last = total.blocks(images).relu()
    torch.testing.assert_close(total(images), total.head(last.sum((2, 3)), None))


def test_classes_add_their_own_gains_biases_and_a_projection() -> None:
    """As mimicry's cgan_pd_32 with ten classes: 4,304,387 and 1,055,105."""
    with torch.device("meta"):
        G, D = ResNetGenerator(128, 32, 3, 10), ResNetDiscriminator(32, 3, 10, "projection")
    assert count(G) == G_COUNTS[32][0] + 3 * 2 * 256 * 2 * (10 - 1) == 4_304_387
    assert count(D) == D_COUNTS[32][0] + 10 * 128 == 1_055_105


def test_maps_have_the_sides_of_the_paper() -> None:
    for resolution, rising, falling in (
        (32, [8, 16, 32], [16, 8, 8, 8]),
        (48, [12, 24, 48], [24, 12, 6, 3, 3]),
        (64, [8, 16, 32, 64], [32, 16, 8, 4, 2]),
        (128, [8, 16, 32, 64, 128], [64, 32, 16, 8, 4, 4]),
    ):
        sides: list[int] = []
        G, D = ResNetGenerator(3, resolution, 3, 0, width=1), ResNetDiscriminator(resolution, 3, 0, "none", width=1)
        for block in [*G.blocks, *D.blocks]:
            block.register_forward_hook(lambda _, __, out, seen=sides: seen.append(out.shape[-1]))
        D(G(torch.randn(2, 3)))
        assert sides == rising + falling


def maps(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


def layer(module: nn.Conv2d, h: Tensor) -> Tensor:
    return conv2d(h, module.weight, module.bias, padding=module.kernel_size[0] // 2)


def test_a_block_enlarges_as_in_the_paper() -> None:
    """Unpooling before both first convolutions; the block's own order on its shortcut is the cheaper one."""
    block, y = UpBlock(4, 3, lambda n: ConditionalBatchNorm2d(n, 2)).double(), torch.tensor([0, 1, 1])
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    h = maps(3, 4, 5, 5)
    large = relu(block.norm1(h, y)).repeat_interleave(2, 2).repeat_interleave(2, 3)
    residual = layer(block.conv2, relu(block.norm2(layer(block.conv1, large), y)))
    shortcut = layer(block.shortcut, h.repeat_interleave(2, 2).repeat_interleave(2, 3))
    torch.testing.assert_close(block(h, y), residual + shortcut)


@pytest.mark.parametrize("first", [True, False])
def test_a_block_halves_as_in_the_paper(first: bool) -> None:
    block, h = DownBlock(4, 3, 6, halve=True, first=first).double(), maps(2, 4, 6, 6)
    residual = layer(block.conv2, relu(layer(block.conv1, h if first else relu(h))))
    torch.testing.assert_close(block(h), avg_pool2d(residual, 2) + avg_pool2d(layer(block.shortcut, h), 2))


def test_a_block_of_equal_sides_and_channels_adds_to_what_came_in() -> None:
    block, h = DownBlock(4, 4, 4, halve=False, first=False).double(), maps(2, 4, 6, 6)
    torch.testing.assert_close(block(h), h + layer(block.conv2, relu(layer(block.conv1, relu(h)))))


def test_weights_are_glorot_s_with_the_gain_of_a_relu_inside_blocks() -> None:
    torch.manual_seed(0)
    for network in (ResNetGenerator(128, 32, 3, 10, width=16), ResNetDiscriminator(32, 3, 0, "none", 32, False)):
        inside = {f"{name}.{conv}" for name, m in network.named_modules() if isinstance(m, UpBlock | DownBlock)
                  for conv in ("conv1", "conv2")}  # fmt: skip
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                weight, bias = module.weight.detach(), module.bias.detach()
                fan_out, fan_in = weight.shape[0] * weight[0, 0].numel(), weight[0].numel()
                bound = (sqrt(2) if name in inside else 1) * sqrt(6 / (fan_in + fan_out))
                assert 0.9 * bound < float(weight.abs().max()) <= bound
                assert not bias.any()


@pytest.mark.parametrize(
    ("build", "line"),
    [
        (lambda: ResNetGenerator(3, 32, 3, 0, width=0), "width=0: must be more than 0"),
        (lambda: ResNetDiscriminator(32, 3, 0, "none", width=-1), "width=-1: must be more than 0"),
        (lambda: ResNetDiscriminator(32, 3, 0, "none", pooling="max"), "pooling=max: one of sum, mean"),
        (
            lambda: ResNetGenerator(3, 28, 3, 0),
            "name=resnet: cannot make 28×28 images; set data.resize to 32, 48, 64 or 128",
        ),
    ],
)
def test_impossible_options_are_refused(build, line: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError) as refused:
        build()
    assert str(refused.value) == line
