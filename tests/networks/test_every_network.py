"""What holds of any generator and discriminator; a new one is covered as soon as it stands in the registry."""

from itertools import product
from typing import Any

import pytest
import torch
from torch import nn

from ganflow import component

LATENT = 6
GENERATORS, DISCRIMINATORS = (tuple(component.choices(group)) for group in ("generator", "discriminator"))
RESOLUTIONS = (8, 16, 28, 32, 64)
SMALL = {"dcgan": {"width": 4}, "mlp": {"widths": [12, 10]}}
FACTS = tuple(product(RESOLUTIONS, (1, 3), (0, 5)))


def build(group: str, name: str, resolution: int, channels: int, classes: int, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    facts = {"resolution": resolution, "channels": channels, "num_classes": classes, "latent_dim": LATENT}
    network: nn.Module = component.build(group, {"name": name, **SMALL.get(name, {}), **options}, group, **facts)
    return network


def labels(n: int, classes: int) -> torch.Tensor | None:
    return torch.arange(n) % classes if classes else None


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize(("resolution", "channels", "classes"), FACTS)
def test_a_generator_makes_images_and_learns_everywhere(
    name: str, resolution: int, channels: int, classes: int
) -> None:
    G = build("generator", name, resolution, channels, classes)
    images = G(torch.randn(5, LATENT), labels(5, classes))
    assert images.shape == (5, channels, resolution, resolution)
    assert images.dtype == torch.float32
    assert images.abs().max() <= 1
    assert images.std(0).max() > 0  # it depends on z
    images.square().sum().backward()
    assert [n for n, p in G.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


@pytest.mark.parametrize("name", DISCRIMINATORS)
@pytest.mark.parametrize(("resolution", "channels", "classes"), FACTS)
def test_a_discriminator_judges_images_and_learns_everywhere(
    name: str, resolution: int, channels: int, classes: int
) -> None:
    D = build("discriminator", name, resolution, channels, classes)
    images = torch.randn(5, channels, resolution, resolution).requires_grad_()
    logits = D(images, labels(5, classes))
    assert logits.shape == (5,)
    logits.square().sum().backward()
    assert images.grad is not None
    assert (images.grad.flatten(1).abs().sum(1) > 0).all()
    assert [n for n, p in D.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


@pytest.mark.parametrize("name", GENERATORS)
def test_the_class_changes_the_image(name: str) -> None:
    images = build("generator", name, 8, 1, 4).eval()(torch.randn(1, LATENT).expand(4, -1), torch.arange(4))
    assert torch.pdist(images.flatten(1)).min() > 0


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_the_class_changes_the_verdict(name: str) -> None:
    D, image = build("discriminator", name, 8, 1, 4).eval(), torch.randn(1, 1, 8, 8)
    assert torch.pdist(D(image.expand(4, -1, -1, -1), torch.arange(4))[:, None]).min() > 0


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_discriminator_judges_each_image_by_itself(name: str) -> None:
    D, images = build("discriminator", name, 16, 3, 4).double(), torch.randn(6, 3, 16, 16, dtype=torch.float64)
    together = D(images, labels(6, 4))
    alone = [D(images[i : i + 1], labels(6, 4)[i : i + 1]) for i in range(6)]
    torch.testing.assert_close(together, torch.cat(alone))


@pytest.mark.parametrize("name", GENERATORS)
def test_weights_come_from_torch_s_generator(name: str) -> None:
    first, second = (build("generator", name, 8, 1, 3).state_dict() for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
