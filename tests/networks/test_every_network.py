"""What holds of any generator and discriminator; a new one is covered as soon as it stands in the registry."""

import copy
from itertools import product
from typing import Any

import pytest
import torch
from torch import nn

from ganflow import component
from ganflow.component import facts_of

LATENT = 6
GENERATORS, DISCRIMINATORS = (component.choices(group) for group in ("generator", "discriminator"))
RESOLUTIONS = (8, 16, 28, 32, 64)
REFUSED = {("stylegan2", 28)}
UNBOUNDED = {"stylegan2", "r3gan"}  # their papers end in a linear layer
SMALL = {
    "dcgan": {"width": 4},
    "mlp": {"widths": [12, 10]},
    "r3gan": {"width": 8, "group": 4, "blocks": 1},
    "stylegan2": {"width": 8, "mapping_layers": 2},
}
ALONE = {"stylegan2": {"mbstd_group": 0}}  # without what looks at the other images of a batch
CONDITIONED = {"none": 0, "projection": 5, "auxiliary": 5}  # the number of classes
FACTS = tuple(c for c in product(GENERATORS, RESOLUTIONS, (1, 3), (0, 5)) if c[:2] not in REFUSED)


def conditionings(name: str) -> tuple[str, ...]:
    """Those that a discriminator has."""
    return tuple(CONDITIONED) if "conditioning" in facts_of(DISCRIMINATORS[name]) else ("none", "projection")


CASES = tuple((name, conditioning) for name in DISCRIMINATORS for conditioning in conditionings(name))
D_FACTS = tuple(
    (name, resolution, channels, conditioning)
    for (name, conditioning), resolution, channels in product(CASES, RESOLUTIONS, (1, 3))
    if (name, resolution) not in REFUSED
)


def build(
    group: str, name: str, resolution: int, channels: int, classes: int, conditioning: str = "", **options: Any
) -> nn.Module:
    """A small network some way off its initialisation, which may hold zeros where nothing is learnt at first."""
    torch.manual_seed(0)
    facts = {"resolution": resolution, "channels": channels, "num_classes": classes, "latent_dim": LATENT}
    facts["conditioning"] = conditioning or ("projection" if classes else "none")
    network: nn.Module = component.build(group, {"name": name, **SMALL.get(name, {}), **options}, group, **facts)
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.05 * torch.randn_like(p))
    return network


def labels(n: int, classes: int) -> torch.Tensor | None:
    return torch.arange(n) % classes if classes else None


def unmoved(network: nn.Module) -> list[str]:
    return [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]


@pytest.mark.parametrize(("name", "resolution", "channels", "classes"), FACTS)
def test_a_generator_makes_images_and_learns_everywhere(
    name: str, resolution: int, channels: int, classes: int
) -> None:
    G = build("generator", name, resolution, channels, classes)
    images = G(torch.randn(5, LATENT), labels(5, classes))
    assert images.shape == (5, channels, resolution, resolution)
    assert images.dtype == torch.float32
    assert name in UNBOUNDED or images.abs().max() <= 1
    assert images.std(0).max() > 0  # it depends on z
    images.square().sum().backward()
    assert unmoved(G) == []


@pytest.mark.parametrize(("name", "resolution", "channels", "conditioning"), D_FACTS)
def test_a_discriminator_judges_images_and_learns_everywhere(
    name: str, resolution: int, channels: int, conditioning: str
) -> None:
    classes = CONDITIONED[conditioning]
    D = build("discriminator", name, resolution, channels, classes, conditioning)
    images = torch.randn(5, channels, resolution, resolution).requires_grad_()
    logits = D(images, labels(5, classes))
    assert logits.shape == ((5, 1 + classes) if conditioning == "auxiliary" else (5,))
    logits.square().sum().backward()
    assert images.grad is not None
    assert (images.grad.flatten(1).abs().sum(1) > 0).all()
    assert unmoved(D) == []


@pytest.mark.parametrize("name", GENERATORS)
def test_the_class_changes_the_image(name: str) -> None:
    images = build("generator", name, 8, 1, 4).eval()(torch.randn(1, LATENT).expand(4, -1), torch.arange(4))
    assert torch.pdist(images.flatten(1)).min() > 0


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_the_class_changes_the_verdict(name: str) -> None:
    D, image = build("discriminator", name, 8, 1, 4).eval(), torch.randn(1, 1, 8, 8)
    assert torch.pdist(D(image.expand(4, -1, -1, -1), torch.arange(4))[:, None]).min() > 0


@pytest.mark.parametrize(("name", "conditioning"), CASES)
def test_a_discriminator_judges_each_image_by_itself(name: str, conditioning: str) -> None:
    y = labels(6, CONDITIONED[conditioning])
    D = build("discriminator", name, 16, 3, CONDITIONED[conditioning], conditioning, **ALONE.get(name, {})).double()
    images = torch.randn(6, 3, 16, 16, dtype=torch.float64)
    alone = [D(images[i : i + 1], None if y is None else y[i : i + 1]) for i in range(6)]
    torch.testing.assert_close(D(images, y), torch.cat(alone))


def slope_along(penalty: Any, network: nn.Module, step: float) -> tuple[float, float]:
    """A penalty's slope along a random direction of the weights: by autograd, and by central differences."""
    weights = list(network.parameters())
    direction = [torch.randn_like(p) for p in weights]
    gradients = torch.autograd.grad(penalty(), weights, allow_unused=True)
    exact = sum(float((g * d).sum()) for g, d in zip(gradients, direction, strict=True) if g is not None)
    values = []
    for sign in (1, -2):
        torch._foreach_add_([p.data for p in weights], direction, alpha=sign * step)
        values.append(float(penalty().detach()))
    return exact, (values[0] - values[1]) / (2 * step)


@pytest.mark.parametrize(("name", "conditioning"), CASES)
def test_a_gradient_penalty_of_a_discriminator_can_be_minimised(name: str, conditioning: str) -> None:
    classes = CONDITIONED[conditioning]
    D = build("discriminator", name, 8, 1, classes, conditioning).double()
    images = torch.randn(5, 1, 8, 8, dtype=torch.float64).requires_grad_()

    def penalty() -> torch.Tensor:
        logits = D(images, labels(5, classes))
        return torch.autograd.grad(logits.square().sum(), images, create_graph=True)[0].square().sum()

    exact, difference = slope_along(penalty, D, 1e-7)
    assert exact != 0
    assert exact == pytest.approx(difference, rel=1e-4)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_penalty_on_a_generator_s_slope_can_be_minimised(name: str) -> None:
    G = build("generator", name, 8, 1, 3).double().eval()
    z = torch.randn(4, LATENT, dtype=torch.float64).requires_grad_()

    def penalty() -> torch.Tensor:
        return torch.autograd.grad(G(z, labels(4, 3)).square().sum(), z, create_graph=True)[0].square().sum()

    exact, difference = slope_along(penalty, G, 1e-7)
    assert exact != 0
    assert exact == pytest.approx(difference, rel=1e-4)


def inputs(group: str, n: int = 4) -> torch.Tensor:
    return torch.randn(n, LATENT) if group == "generator" else torch.randn(n, 1, 16, 16)


@pytest.mark.parametrize(
    ("group", "name"), [*product(["generator"], GENERATORS), *product(["discriminator"], DISCRIMINATORS)]
)
def test_a_copy_is_the_same_network_and_its_own(group: str, name: str) -> None:
    network, x = build(group, name, 16, 1, 3), inputs(group)
    network(x, labels(4, 3)).sum().backward()
    copied = copy.deepcopy(network).eval()
    first = copied(x, labels(4, 3))
    assert torch.equal(first, network.eval()(x, labels(4, 3)))
    for p in network.parameters():
        p.data.zero_()
    assert torch.equal(copied(x, labels(4, 3)), first)


@pytest.mark.parametrize(
    ("group", "name"), [*product(["generator"], GENERATORS), *product(["discriminator"], DISCRIMINATORS)]
)
def test_bfloat16_gives_nearly_the_same_and_learns_everywhere(group: str, name: str) -> None:
    network, x = build(group, name, 16, 1, 3), inputs(group)
    exact = network.eval()(x, labels(4, 3))
    with torch.autocast("cpu", torch.bfloat16):
        rough = network(x, labels(4, 3))
        network.train()(x, labels(4, 3)).float().square().sum().backward()
    assert float((rough.float() - exact).detach().norm()) < 0.05 * float(exact.detach().norm())
    assert unmoved(network) == []
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", GENERATORS)
def test_weights_come_from_torch_s_generator(name: str) -> None:
    first, second = (build("generator", name, 8, 1, 3).state_dict() for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
