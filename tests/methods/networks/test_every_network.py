"""What holds of any generator and discriminator; a new one is covered as soon as it stands in the registry."""

import copy
import re
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from ganflow.config import components
from ganflow.errors import ConfigError
from ganflow.methods.augmented_discriminator import Judgement
from ganflow.methods.networks.facts import network_facts

N = TypeVar("N", bound=nn.Module)

LATENT = 6
GENERATORS, DISCRIMINATORS = (tuple(components.choices(group)) for group in ("generator", "discriminator"))
CLASSES = {"none": 0, "projection": 5, "auxiliary": 5}
STATED = {
    "mlp": (1, 8, 28), "dcgan": (8, 16, 28, 32, 64), "dcgan5x5": (8, 16, 28, 32), "dense_conv": (8, 28, 32),
    "patch": (8, 28, 32), "multi_scale": (12, 28), "unet": (8, 32),
    "edsr": (8, 28), "rrdb": (8, 28), "srresnet": (8, 28), "autoencoder": (8, 28),
    "resnet": (32, 48, 64, 128), "biggan": (32, 64, 128), "stylegan2": (8, 16, 32, 64), "r3gan": (8, 28, 32, 64),
}  # fmt: skip
RESTORERS = {n for n, cls in components.choices("generator").items() if "given" in components.facts_of(cls)}
OF_NOISE = tuple(name for name in GENERATORS if name not in RESTORERS)
ENLARGERS = {"edsr", "rrdb", "srresnet"}  # twice here, and without z
WITHOUT_NOISE = {*ENLARGERS, "autoencoder"}
UNBOUNDED = {"stylegan2", "r3gan", *ENLARGERS}  # their papers end in a linear layer
ALONE = {"stylegan2": {"mbstd_group": 0}}  # without what looks at the other images of a batch
SMALL: dict[str, dict[str, dict[str, Any]]] = {
    "generator": {
        "mlp": {"widths": [12, 10]}, "dcgan": {"width": 4}, "dcgan5x5": {"width": 4},
        "dense_conv": {"widths": [12, 10], "width": 4}, "resnet": {"width": 2}, "biggan": {"width": 2, "shared": 4},
        "stylegan2": {"width": 8, "mapping_layers": 2}, "r3gan": {"width": 8, "group": 4, "blocks": 1},
        "unet": {"width": 4}, "edsr": {"width": 4, "blocks": 2}, "srresnet": {"width": 4, "blocks": 2},
        "rrdb": {"width": 4, "growth": 2, "blocks": 1},
        "autoencoder": {"code": 5, "encoder": {"name": "conv", "width": 4}, "decoder": {"name": "dcgan", "width": 4}},
    },
    "discriminator": {
        "mlp": {"widths": [12, 10]}, "dcgan": {"width": 4}, "dcgan5x5": {"width": 4},
        "dense_conv": {"widths": [12, 10]}, "resnet": {"width": 2}, "biggan": {"width": 2},
        "patch": {"width": 4, "layers": 1}, "multi_scale": {"width": 4, "layers": 1}, "unet": {"width": 2},
        "stylegan2": {"width": 8, "mapping_layers": 2}, "r3gan": {"width": 8, "group": 4, "blocks": 1},
    },
}  # fmt: skip
KINDS = list(product(DISCRIMINATORS, CLASSES))
NOWHERE = 9  # a side that no network but a fully connected one reaches
STEP = 1e-8  # so small that no ReLU turns on or off in it


def sides(name: str) -> tuple[int, ...]:
    return STATED.get(name, (32, 64))


def build(
    group: str, name: str, resolution: int, channels: int, conditioning: str, seed: int = 0, **options: Any
) -> nn.Module:
    torch.manual_seed(seed)
    given = given_shape(name, channels, resolution) if group == "generator" and name in RESTORERS else None
    facts = network_facts((channels, resolution, resolution), CLASSES[conditioning], given)
    facts |= {"latent_dim": latent(name), "conditioning": conditioning}
    network: nn.Module = components.build(
        group, {"name": name, **SMALL[group].get(name, {}), **options}, group, **facts
    )
    return network


def given_shape(name: str, channels: int, side: int) -> tuple[int, int, int]:
    """Of what a generator that restores is given: with a mask."""
    smaller = side // 2 if name in ENLARGERS else side
    return channels + 1, smaller, smaller


def latent(name: str) -> int:
    return 0 if name in WITHOUT_NOISE else LATENT


def inputs(group: str, name: str, n: int, side: int, channels: int = 1, conditioning: str = "projection") -> list[Any]:
    """Arguments of a network, the same in every call."""
    draw, y = torch.Generator().manual_seed(1), labels(n, conditioning)
    if group == "discriminator":
        return [torch.randn(n, channels, side, side, generator=draw), y]
    z = torch.randn(n, latent(name), generator=draw)
    given = [torch.randn(n, *given_shape(name, channels, side), generator=draw)] if name in RESTORERS else []
    return [z, y, *given]


def moved(network: N) -> N:
    """As after some steps: what starts at zero, such as a gate, no longer hides what is behind it."""
    for parameter in network.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return network


def labels(n: int, conditioning: str) -> torch.Tensor | None:
    return torch.arange(n) % CLASSES[conditioning] if CLASSES[conditioning] else None


def without_gradient(network: nn.Module) -> list[str]:
    return [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]


def cases(names: tuple[str, ...]) -> list[tuple[str, int, int, str]]:
    """Every network × side × conditioning in colour, and the first side in grey too."""
    colour = [(name, side, 3, kind) for name in names for side, kind in product(sides(name), CLASSES)]
    return colour + [(name, sides(name)[0], 1, kind) for name, kind in product(names, CLASSES)]


@pytest.mark.parametrize(
    ("name", "resolution", "channels", "conditioning"), [c for c in cases(GENERATORS) if c[3] != "auxiliary"]
)
def test_a_generator_makes_images_and_learns_everywhere(
    name: str, resolution: int, channels: int, conditioning: str
) -> None:
    G = moved(build("generator", name, resolution, channels, conditioning))
    images = G(*inputs("generator", name, 5, resolution, channels, conditioning))
    assert images.shape == (5, channels, resolution, resolution)
    assert images.dtype == torch.float32
    assert name in UNBOUNDED or images.abs().max() <= 1
    assert images.std(0).max() > 0  # it depends on what it is made of
    images.square().sum().backward()
    assert without_gradient(G) == []


@pytest.mark.parametrize(("name", "resolution", "channels", "conditioning"), cases(DISCRIMINATORS))
def test_a_discriminator_judges_images_and_learns_everywhere(
    name: str, resolution: int, channels: int, conditioning: str
) -> None:
    D = moved(build("discriminator", name, resolution, channels, conditioning))
    images = torch.randn(5, channels, resolution, resolution).requires_grad_()
    logits = D(images, labels(5, conditioning))
    judged = Judgement.of(logits)
    assert judged.by_image.shape == (5,)
    assert (None if judged.classes is None else judged.classes.shape) == (
        (5, 5) if conditioning == "auxiliary" else None
    )
    logits.square().sum().backward()
    assert images.grad is not None
    assert (images.grad.flatten(1).abs().sum(1) > 0).all()
    assert without_gradient(D) == []


@pytest.mark.parametrize("name", [name for name in GENERATORS if name not in ENLARGERS])
def test_the_class_changes_the_image(name: str) -> None:
    G = moved(build("generator", name, sides(name)[-1], 1, "projection")).eval()
    z, _, *given = inputs("generator", name, 1, sides(name)[-1])
    images = G(z.expand(4, -1), torch.arange(4), *(x.expand(4, -1, -1, -1) for x in given))
    assert torch.pdist(images.flatten(1)).min() > 0


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_the_class_changes_the_verdict_of_a_projection_alone(name: str) -> None:
    side = sides(name)[0]
    image = torch.randn(1, 1, side, side).expand(4, -1, -1, -1)
    projection, auxiliary = (build("discriminator", name, side, 1, kind).eval() for kind in ("projection", "auxiliary"))
    assert torch.pdist(projection(image, torch.arange(4)).reshape(4, -1)).min() > 0
    assert torch.equal(auxiliary(image, torch.arange(4)), auxiliary(image, None))


@pytest.mark.parametrize(("name", "conditioning"), KINDS)
def test_a_discriminator_judges_each_image_by_itself(name: str, conditioning: str) -> None:
    side, y = sides(name)[0], labels(6, conditioning)
    D = build("discriminator", name, side, 3, conditioning, **ALONE.get(name, {})).double().eval()
    images = torch.randn(6, 3, side, side, dtype=torch.float64)
    alone = [D(images[i : i + 1], None if y is None else y[i : i + 1]) for i in range(6)]
    torch.testing.assert_close(D(images, y), torch.cat(alone))


def slopes(network: nn.Module, x: torch.Tensor, y: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Of ``‖∇ₓ Σ network(x)²‖²`` along a random direction of the weights: by autograd and by central differences."""
    weights = list(network.parameters())
    direction = [torch.randn_like(weight) for weight in weights]

    def penalty(step: float = 0.0) -> torch.Tensor:
        torch._foreach_add_([weight.data for weight in weights], direction, alpha=step)
        (slope,) = torch.autograd.grad(network(x, y).square().sum(), x, create_graph=True)
        torch._foreach_sub_([weight.data for weight in weights], direction, alpha=step)
        return slope.square().sum()

    gradient = torch.autograd.grad(penalty(), weights)
    along = torch.stack([(g * d).sum() for g, d in zip(gradient, direction, strict=True)]).sum()
    return along, (penalty(STEP) - penalty(-STEP)) / (2 * STEP)


@pytest.mark.parametrize(("name", "conditioning"), KINDS)
def test_a_penalty_on_a_discriminator_s_slope_can_be_minimised(name: str, conditioning: str) -> None:
    side = sides(name)[0]
    D = moved(build("discriminator", name, side, 2, conditioning, spectral_norm=False)).double().eval()
    images = torch.randn(2, 2, side, side, dtype=torch.float64).requires_grad_()
    exact, difference = slopes(D, images, labels(2, conditioning))
    torch.testing.assert_close(exact, difference, rtol=1e-4, atol=0)


class OfGiven(nn.Module):
    """A generator that restores, as a function of what it is given."""

    def __init__(self, G: nn.Module, name: str) -> None:
        super().__init__()
        self.G, self.latent_dim = G, latent(name)

    def forward(self, given: torch.Tensor, y: torch.Tensor | None) -> torch.Tensor:
        images: torch.Tensor = self.G(given.new_ones(len(given), self.latent_dim), y, given)
        return images


@pytest.mark.parametrize("name", sorted(RESTORERS))
def test_a_penalty_on_the_slope_of_one_that_restores_can_be_minimised(name: str) -> None:
    G = moved(build("generator", name, 8, 1, "projection")).double().eval()
    given = torch.randn(3, *given_shape(name, 1, 8), dtype=torch.float64).requires_grad_()
    exact, difference = slopes(OfGiven(G, name), given, labels(3, "projection"))
    torch.testing.assert_close(exact, difference, rtol=1e-4, atol=0)


@pytest.mark.parametrize("name", OF_NOISE)
def test_a_penalty_on_a_generator_s_slope_can_be_minimised(name: str) -> None:
    plain = {"spectral_norm": False} if name == "biggan" else {}
    G = moved(build("generator", name, sides(name)[0], 1, "projection", **plain)).double().eval()
    z = torch.randn(3, LATENT, dtype=torch.float64).requires_grad_()
    exact, difference = slopes(G, z, labels(3, "projection"))
    torch.testing.assert_close(exact, difference, rtol=1e-4, atol=0)


@pytest.mark.parametrize(("name", "spectral"), list(product(DISCRIMINATORS, (False, True))))
def test_several_forwards_and_a_penalty_come_before_one_backward(name: str, spectral: bool) -> None:
    side = sides(name)[0]
    D = moved(build("discriminator", name, side, 1, "projection", spectral_norm=spectral))
    real, fake = torch.randn(2, 5, 1, side, side)
    for precision in (torch.float32, torch.bfloat16):
        D.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            on_real = D(real.requires_grad_(), labels(5, "projection"))
            on_fake = D(fake, labels(5, "projection"))
            (slope,) = torch.autograd.grad(on_real.sum(), real, create_graph=True)
            loss = on_fake.square().mean() - on_real.mean() + slope.square().sum()
        loss.backward()
        assert without_gradient(D) == []
        assert all(p.grad.isfinite().all() for p in D.parameters() if p.grad is not None)


EVERY: list[tuple[str, str, dict[str, Any]]] = [("generator", name, {}) for name in GENERATORS]
EVERY += [("discriminator", name, {"spectral_norm": flag}) for name, flag in product(DISCRIMINATORS, (False, True))]


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_spectral_normalisation_holds_for_every_weight(name: str) -> None:
    side = sides(name)[0]
    D = build("discriminator", name, side, 1, "projection", spectral_norm=True)
    plain = [n for n, p in D.named_parameters() if p.dim() > 1 and not n.endswith("parametrizations.weight.original")]
    assert plain == (["basis"] if name == "r3gan" else [])  # which is no layer's
    with torch.no_grad():
        for _ in range(100):  # power iterations
            output(D, "discriminator", name, side)
    for layer in D.eval().modules():
        if hasattr(layer, "parametrizations"):
            used = layer.weight.flatten(1) * getattr(layer, "scale", 1.0)
            torch.testing.assert_close(torch.linalg.matrix_norm(used, 2), torch.ones(()), rtol=0.02, atol=0)


def output(network: nn.Module, group: str, name: str, side: int) -> torch.Tensor:
    result: torch.Tensor = network(*inputs(group, name, 5, side))
    return result


@pytest.mark.parametrize(("group", "name", "options"), EVERY)
def test_a_copy_is_equal_and_goes_its_own_way(group: str, name: str, options: dict[str, Any]) -> None:
    side = sides(name)[0]
    network = build(group, name, side, 1, "projection", **options)
    output(network, group, name, side)  # statistics and singular vectors have moved
    twin = copy.deepcopy(network).eval()
    before = output(network.eval(), group, name, side)
    assert torch.equal(output(twin, group, name, side), before)
    moved(twin.train())
    output(twin, group, name, side)
    assert torch.equal(output(network, group, name, side), before)


@pytest.mark.parametrize(("group", "name", "options"), EVERY)
def test_bfloat16_gives_nearly_the_same(group: str, name: str, options: dict[str, Any]) -> None:
    side = sides(name)[0]
    network = build(group, name, side, 1, "projection", **options)
    output(network, group, name, side)
    exact = output(network.eval(), group, name, side)
    with torch.autocast("cpu", torch.bfloat16):
        rough = output(network, group, name, side)
    assert 0 < (rough.float() - exact).norm() < 0.05 * exact.norm()


@pytest.mark.parametrize(("group", "name", "options"), EVERY)
def test_what_is_saved_is_loaded_bit_for_bit(group: str, name: str, options: dict[str, Any], tmp_path: Path) -> None:
    side = sides(name)[0]
    network, other = (build(group, name, side, 1, "projection", seed=seed, **options) for seed in (0, 1))
    output(network, group, name, side)
    save_file({n: t.contiguous() for n, t in network.state_dict().items()}, tmp_path / "network")
    other.load_state_dict(load_file(tmp_path / "network"))
    assert torch.equal(output(other.eval(), group, name, side), output(network.eval(), group, name, side))


@pytest.mark.parametrize(("group", "name", "options"), EVERY)
def test_it_is_built_without_memory_for_weights(group: str, name: str, options: dict[str, Any]) -> None:
    with torch.device("meta"):
        network = build(group, name, sides(name)[-1], 3, "projection", **options)
    assert {t.device.type for t in network.state_dict().values()} == {"meta"}


@pytest.mark.parametrize(("group", "name", "options"), EVERY)
def test_weights_come_from_torch_s_generator(group: str, name: str, options: dict[str, Any]) -> None:
    first, second = (build(group, name, sides(name)[0], 1, "projection", **options).state_dict() for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


ELSEWHERE = {"mlp", "multi_scale", *ENLARGERS}  # any size, or tested beside the network
OF_SIZES = [(g, n) for g, n, o in EVERY if n not in ELSEWHERE and not o.get("spectral_norm")]


@pytest.mark.parametrize(("group", "name"), OF_SIZES)
def test_a_side_that_it_does_not_reach_is_refused_with_a_way_out(group: str, name: str) -> None:
    if (group, name) in [("discriminator", any_side) for any_side in ("dense_conv", "patch")]:
        assert len(build(group, name, NOWHERE, 1, "none")(torch.zeros(2, 1, NOWHERE, NOWHERE))) == 2
        return
    with pytest.raises(ConfigError) as refused:
        build(group, name, NOWHERE, 1, "none")
    who = r"generator\.decoder\.name=dcgan" if name == "autoencoder" else rf"{group}\.name={name}"
    hint = rf"{who}: cannot make {NOWHERE}×{NOWHERE} images; set data\.resize(=| to ).*\d.*"
    assert re.fullmatch(hint, str(refused.value))
