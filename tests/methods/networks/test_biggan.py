import pytest
import torch
from torch import nn

from ganflow.errors import ConfigError
from ganflow.methods.networks.biggan import BigGANDiscriminator, BigGANGenerator, SelfAttention
from ganflow.methods.networks.layers.conditioning import ConditionalBatchNorm2d


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


# (resolution, classes, latent_dim, attention) → parameters of G and D, as its author's code counts them
# (ajbrock/BigGAN-PyTorch: BigGAN.py with hier, G_shared and shared_dim 128; ch 96, at 32 pixels 64). The first is the
# paper's network on ImageNet, scripts/launch_BigGAN_bs256x8.sh there.
PUBLISHED = {
    (128, 1000, 120, None): (70_433_988, 87_982_370),
    (64, 10, 125, 32): (70_289_412, 43_991_330),
    (32, 10, 128, 0): (4_373_251, 4_207_361),
}


@pytest.mark.parametrize("case", PUBLISHED)
def test_there_are_as_many_parameters_as_published(case: tuple[int, int, int, int | None]) -> None:
    resolution, classes, latent_dim, attention = case
    with torch.device("meta"):
        G = BigGANGenerator(latent_dim, resolution, 3, classes, attention=attention)
        D = BigGANDiscriminator(resolution, 3, classes, "projection", attention=attention)
    assert (count(G), count(D)) == PUBLISHED[case]


def test_the_authors_cifar_10_script_has_as_many_parameters() -> None:
    """scripts/launch_cifar_ema.sh: no attention, no G_shared, no hier."""
    with torch.device("meta"):
        G = BigGANGenerator(128, 32, 3, 10, attention=0, shared=0, init="normal")
        D = BigGANDiscriminator(32, 3, 10, "projection", attention=0, init="normal")
    assert (count(G), count(D)) == (4_304_387, 4_207_361)


@torch.no_grad()
def test_attention_is_that_of_the_paper() -> None:
    """Zhang et al. (2019), eqs. 1 to 3, one position at a time; keys and values are maxima of 2×2, as in its code."""
    torch.manual_seed(0)
    attention = SelfAttention(16).double()
    attention.gamma.data.fill_(0.7)
    x = torch.randn(2, 16, 4, 6, dtype=torch.float64)
    f, g, h, v = (
        layer.weight[:, :, 0, 0] for layer in (attention.query, attention.key, attention.value, attention.out)
    )
    expected = x.clone()
    for image, result in zip(x, expected, strict=True):
        pooled = [
            [torch.stack([w @ image[:, 2 * i + a, 2 * j + b] for a in (0, 1) for b in (0, 1)]).amax(0) for w in (g, h)]
            for i in range(2) for j in range(3)
        ]  # fmt: skip
        keys, values = (torch.stack(column) for column in zip(*pooled, strict=True))
        for i in range(4):
            for j in range(6):
                score = (keys @ (f @ image[:, i, j])).exp()
                result[:, i, j] += 0.7 * (v @ (score / score.sum() @ values))
    torch.testing.assert_close(attention(x), expected)


def test_attention_starts_as_the_identity() -> None:
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(SelfAttention(8)(x), x)


def places(network: nn.Module, image_side: int) -> list[tuple[int, int]]:
    """(side, channels) of every map with attention."""
    seen: list[tuple[int, int]] = []
    for module in network.modules():
        if isinstance(module, SelfAttention):
            module.register_forward_hook(lambda _, __, out: seen.append((out.shape[-1], out.shape[1])))
    if isinstance(network, BigGANGenerator):
        network(torch.randn(2, 8))
    else:
        network(torch.randn(2, 3, image_side, image_side))
    return seen


@pytest.mark.parametrize(
    ("resolution", "attention", "in_g", "in_d"),
    [
        (32, None, [(16, 8)], [(16, 8)]),
        (32, 0, [], []),
        (32, 8, [(8, 8)], [(8, 8)]),
        (64, None, [(32, 8)], [(32, 2)]),
        (128, None, [(64, 4)], [(64, 2)]),
    ],
)
def test_attention_has_its_place(
    resolution: int, attention: int | None, in_g: list[tuple[int, int]], in_d: list[tuple[int, int]]
) -> None:
    G = BigGANGenerator(8, resolution, 3, 0, width=2, attention=attention)
    D = BigGANDiscriminator(resolution, 3, 0, "none", width=2, attention=attention)
    assert places(G, resolution) == in_g
    assert places(D, resolution) == in_d


@pytest.mark.parametrize("classes", [0, 3])
def test_each_block_has_its_part_of_z_and_the_class(classes: int) -> None:
    """At 32 pixels z of 11 is dealt out as 3 to the first map and 3, 3, 2 to the blocks."""
    G = BigGANGenerator(11, 32, 3, classes, width=2, shared=5).eval()
    assert G.parts == [3, 3, 3, 2]
    assert [block.norm1.gain.in_features for block in G.blocks] == [p + 5 * (classes > 0) for p in (3, 3, 2)]
    outputs: list[torch.Tensor] = []
    for module in [G.dense, *G.blocks]:
        module.register_forward_hook(lambda _, __, out: outputs.append(out))
    z, y = torch.randn(1, 11), torch.zeros(1, dtype=torch.long) if classes else None
    G(z, y)
    before = outputs[:4]
    for first, changed in ((0, 0), (3, 1), (6, 2), (9, 3)):
        outputs.clear()
        other = z.clone()
        other[:, first] += 1
        G(other, y)
        assert [not torch.equal(a, b) for a, b in zip(before, outputs, strict=True)] == [i >= changed for i in range(4)]


@pytest.mark.parametrize("classes", [0, 3])
def test_without_a_shared_embedding_every_normalisation_has_its_own(classes: int) -> None:
    torch.manual_seed(0)
    G = BigGANGenerator(11, 32, 3, classes, width=2, shared=0, init="normal").eval()
    assert (G.parts, G.dense.in_features, G.embedding) == ([11], 11, None)
    norms = [norm for block in G.blocks for norm in (block.norm1, block.norm2)]
    assert {type(norm) for norm in norms} == {ConditionalBatchNorm2d}
    if classes:
        gains = torch.cat([norm.gain.weight.detach().flatten() for norm in norms])
        biases = torch.cat([norm.bias.weight.detach().flatten() for norm in norms])
        assert float(gains.mean()) == pytest.approx(1.0, abs=0.01)  # 1 + N(0, 0.02), as its code has gains around 1
        assert float(gains.std()) == pytest.approx(0.02, rel=0.2)
        assert float(biases.std()) == pytest.approx(0.02, rel=0.2)
        z = torch.randn(1, 11).expand(classes, -1)
        assert torch.pdist(G(z, torch.arange(classes)).flatten(1)).min() > 0


def test_all_is_spectrally_normalised_but_the_generator_s_embedding() -> None:
    G, D = BigGANGenerator(8, 32, 3, 3, width=2), BigGANDiscriminator(32, 3, 3, "projection", width=2)
    kinds = (nn.Conv2d, nn.Linear, nn.Embedding)
    for network, plain in ((G, ["embedding"]), (D, [])):
        layers = [(name, m) for name, m in network.named_modules() if isinstance(m, kinds)]
        assert [name for name, m in layers if not hasattr(m, "parametrizations")] == plain
    own = BigGANGenerator(8, 32, 3, 3, width=2, shared=0)
    assert not [m for m in own.modules() if isinstance(m, nn.Embedding) and hasattr(m, "parametrizations")]
    plain_g = BigGANGenerator(8, 32, 3, 3, width=2, spectral_norm=False)
    assert not [m for m in plain_g.modules() if hasattr(m, "parametrizations")]


def test_weights_start_orthogonal() -> None:
    torch.manual_seed(0)
    for network in (BigGANGenerator(8, 32, 3, 3, width=2), BigGANDiscriminator(32, 3, 3, "projection", width=2)):
        for name, weight in network.named_parameters():
            if weight.dim() > 1:
                W = weight.detach().flatten(1).double()
                gram = W @ W.T if W.shape[0] <= W.shape[1] else W.T @ W
                torch.testing.assert_close(gram, torch.eye(len(gram), dtype=gram.dtype), rtol=0, atol=1e-5, msg=name)


@pytest.mark.parametrize(
    ("build", "line"),
    [
        (lambda: BigGANGenerator(8, 32, 3, 0, width=0), "width=0: must be more than 0, or null for the paper's"),
        (
            lambda: BigGANGenerator(8, 32, 3, 0, shared=-1),
            "shared=-1: 0 (an embedding of each normalisation's own) or more",
        ),
        (lambda: BigGANGenerator(8, 32, 3, 0, init="N02"), "init=N02: one of orthogonal, normal"),
        (
            lambda: BigGANDiscriminator(32, 3, 0, "none", width=2, attention=4),
            "attention=4: a side of the maps: 8, 16; 0 for none, or null for half the images' side",
        ),
        (
            lambda: BigGANGenerator(8, 48, 3, 0),
            "name=biggan: cannot make 48×48 images; set data.resize to 32, 64 or 128",
        ),
        (
            lambda: BigGANGenerator(5, 128, 3, 0, width=1),
            "name=biggan: needs gan.latent_dim of at least 6, one per map",
        ),
    ],
)
def test_impossible_options_are_refused(build, line: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError) as refused:
        build()
    assert str(refused.value) == line
