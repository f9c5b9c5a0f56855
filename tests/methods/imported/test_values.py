"""Imported networks beside independent references on the authors' own tensors: the same images, the same logits."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganflow.methods.imported.build import PublishedModel
from tests.methods.imported import published
from tests.methods.imported.published import State, discriminator_of, double, read

ADA = {4: 8, 8: 8, 16: 4}


def normal(*shape: int, seed: int = 9) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def near(a: Tensor, b: Tensor) -> bool:
    """Equal but for float32's rounding, of values that are 1 or so."""
    return torch.allclose(a, b, rtol=1e-4, atol=1e-5)


def labels_of(classes: int) -> Tensor | None:
    return torch.arange(4) % classes if classes else None


@torch.no_grad()
def images(model: PublishedModel, z: Tensor, labels: Tensor | None, **options: float) -> Tensor:
    made: Tensor = model.generator(z, labels, **options)
    return made.double()


@torch.no_grad()
def logits(model: PublishedModel, name: str, x: Tensor, labels: Tensor | None) -> Tensor:
    return discriminator_of(model, name)(x, labels).double()


@pytest.mark.parametrize(("classes", "residual"), [(0, True), (3, False)])
def test_stylegan2_ada(classes: int, residual: bool, tmp_path: Path) -> None:
    G, D = published.ada_generator(ADA, classes), published.ada_discriminator(ADA, residual, classes)
    model = read(tmp_path / "x.pt", {"G_ema": G, "D": D})
    z, x, labels = normal(4, 6), normal(4, 3, 16, 16), labels_of(classes)
    expected = published.ada_generate(double(G), z.double(), labels)
    assert near(images(model, z, labels), expected)
    truncated = published.ada_generate(double(G), z.double(), labels, psi=0.6)
    assert near(images(model, z, labels, truncation=0.6), truncated)
    assert not near(truncated, expected)
    given = published.ada_discriminate(double(D), x.double(), labels)
    assert near(logits(model, "stylegan2", x, labels), given)


@pytest.mark.parametrize("clamp", [0.0, 0.5])
def test_stylegan2_ada_keeps_activations_within_what_is_asked_for(clamp: float, tmp_path: Path) -> None:
    G, D = published.ada_generator(ADA), published.ada_discriminator(ADA, residual=True)
    model = read(tmp_path / "x.pt", {"G_ema": G, "D": D}, options={"clamp": clamp})
    z, x = normal(4, 6), normal(4, 3, 16, 16)
    expected = published.ada_generate(double(G), z.double(), clamp=clamp)
    assert near(images(model, z, None), expected)
    given = published.ada_discriminate(double(D), x.double(), clamp=clamp)
    assert near(logits(model, "stylegan2", x, None), given)
    assert model.generator.clamp == clamp


def as_rosinality(G: State, D: State) -> dict[str, State]:
    """NVIDIA's tensors under rosinality's names and in its shapes."""
    g, d = {}, {}
    for i in range(2):
        for part in ("weight", "bias"):
            g[f"style.{i + 1}.{part}"] = G[f"mapping.fc{i}.{part}"]
    g["input.input"] = G["synthesis.b4.const"][None]
    layers = ["b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1"]
    for index, (ours, name) in enumerate(zip(["conv1", *(f"convs.{i}" for i in range(4))], layers, strict=True)):
        theirs = f"synthesis.{name}"
        g[f"{ours}.conv.weight"] = G[f"{theirs}.weight"][None]
        g[f"{ours}.conv.modulation.weight"] = G[f"{theirs}.affine.weight"]
        g[f"{ours}.conv.modulation.bias"] = G[f"{theirs}.affine.bias"]
        g[f"{ours}.activate.bias"] = G[f"{theirs}.bias"]
        g[f"{ours}.noise.weight"] = G[f"{theirs}.noise_strength"][None]
        g[f"noises.noise_{index}"] = G[f"{theirs}.noise_const"][None, None]
        if "conv0" in name:
            g[f"{ours}.conv.blur.kernel"] = 4 * published.FILTER.float()
    for ours, side in (("to_rgb1", 4), ("to_rgbs.0", 8), ("to_rgbs.1", 16)):
        theirs = f"synthesis.b{side}.torgb"
        g[f"{ours}.conv.weight"] = G[f"{theirs}.weight"][None]
        g[f"{ours}.conv.modulation.weight"] = G[f"{theirs}.affine.weight"]
        g[f"{ours}.conv.modulation.bias"] = G[f"{theirs}.affine.bias"]
        g[f"{ours}.bias"] = G[f"{theirs}.bias"][None, :, None, None]
    d["convs.0.0.weight"], d["convs.0.1.bias"] = D["b16.fromrgb.weight"], D["b16.fromrgb.bias"]
    for index, side in ((1, 16), (2, 8)):
        d[f"convs.{index}.conv1.0.weight"], d[f"convs.{index}.conv1.1.bias"] = (
            D[f"b{side}.conv0.weight"],
            D[f"b{side}.conv0.bias"],
        )
        d[f"convs.{index}.conv2.1.weight"], d[f"convs.{index}.conv2.2.bias"] = (
            D[f"b{side}.conv1.weight"],
            D[f"b{side}.conv1.bias"],
        )
        d[f"convs.{index}.skip.1.weight"] = D[f"b{side}.skip.weight"]
        d[f"convs.{index}.skip.0.kernel"] = published.FILTER.float()
    d["final_conv.0.weight"], d["final_conv.1.bias"] = D["b4.conv.weight"], D["b4.conv.bias"]
    for index, theirs in ((0, "b4.fc"), (1, "b4.out")):
        d[f"final_linear.{index}.weight"], d[f"final_linear.{index}.bias"] = D[f"{theirs}.weight"], D[f"{theirs}.bias"]
    return {"g_ema": g, "d": d}


def test_rosinality_s_stylegan2_computes_what_nvidia_s_does_without_its_clamp(tmp_path: Path) -> None:
    G, D = published.ada_generator(ADA), published.ada_discriminator(ADA, residual=True)
    content = {**as_rosinality(G, D), "latent_avg": G["mapping.w_avg"][None]}
    model = read(tmp_path / "x.pt", content)
    z, x = normal(4, 6), normal(4, 3, 16, 16)
    expected = published.ada_generate(double(G), z.double(), psi=0.6, clamp=0.0)
    assert near(images(model, z, None, truncation=0.6), expected)
    given = published.ada_discriminate(double(D), x.double(), clamp=0.0)
    assert near(logits(model, "stylegan2", x, None), given)


def test_a_mean_w_that_is_not_in_the_file_is_that_of_many_draws(tmp_path: Path) -> None:
    G = published.ada_generator(ADA)
    model = read(tmp_path / "x.pt", as_rosinality(G, published.ada_discriminator(ADA, residual=True)))
    mean = published.ada_mapping(double(G), normal(50_000, 6).double(), None).mean(0)
    assert torch.allclose(model.generator.state_dict()["w_avg"].double(), mean, atol=0.05)
    assert "the average generator comes without a mean w, so it is that of 10,000 draws" in model.lines


@pytest.mark.parametrize(("classes", "widths"), [(0, [8, 8, 4]), (3, [8, 8, 8])])
def test_r3gan(classes: int, widths: list[int], tmp_path: Path) -> None:
    G, D = published.r3gan_generator(widths, classes), published.r3gan_discriminator(widths[::-1], classes)
    model = read(tmp_path / "x.pt", {"G_ema": G, "D": D})
    z, x, labels = normal(4, 6), normal(4, 3, 16, 16), labels_of(classes)
    expected = published.r3gan_generate(double(G), z.double(), labels)
    assert near(images(model, z, labels), expected)
    given = published.r3gan_discriminate(double(D), x.double(), labels)
    assert near(logits(model, "r3gan", x, labels), given)


@pytest.mark.parametrize(("shared", "attention"), [(5, 1), (0, -1)])
def test_biggan(shared: int, attention: int, tmp_path: Path) -> None:
    G = published.biggan_generator(shared=shared, attention=attention)
    D = published.biggan_discriminator(attention=())
    model = read(tmp_path / "x.pt", {"G_ema": G, "D": D})
    z, x, labels = normal(4, 8 if shared else 2), normal(4, 3, 32, 32), torch.arange(4) % 3
    expected = published.biggan_generate(double(G), z.double(), labels)
    assert near(images(model, z, labels), expected)
    given = published.biggan_discriminate(double(D), x.double(), labels)
    assert near(logits(model, "biggan", x, labels), given)


def test_biggan_s_statistics_may_be_those_of_its_other_normalisations(tmp_path: Path) -> None:
    G = published.biggan_generator()
    usual = read(tmp_path / "x.pt", G)
    for mean, variance in (("bn.stored_mean", "bn.stored_var"), ("bn.running_mean", "bn.running_var")):
        renamed = {n.replace("stored_mean", mean).replace("stored_var", variance): tensor for n, tensor in G.items()}
        other = read(tmp_path / "x.pt", renamed)
        assert all(
            torch.equal(a, b)
            for a, b in zip(other.generator.state_dict().values(), usual.generator.state_dict().values(), strict=True)
        )
