"""Every content loss against an independent reference, and as a term of G's turn."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchmetrics.functional.image import structural_similarity_index_measure

from ganflow.config import components
from ganflow.distributed.rng import RandomStream
from ganflow.errors import ConfigError
from ganflow.methods.content_losses.base import ContentLoss
from ganflow.methods.perception.backbones import vgg
from ganflow.methods.regularizers.base import GeneratorTurn
from tests.support.backbones import random_backbone, weights_file

CPU = torch.device("cpu")
N = 6


def images(seed: int) -> Tensor:
    return torch.rand(N, 3, 16, 12, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def hidden() -> Tensor:
    mask = torch.zeros(N, 1, 16, 12)
    for row in range(N - 1):
        mask[row, :, : 2 + row, 3:] = 1
    return mask  # the last image has none


def seen(x: Tensor, labels: Tensor | None) -> list[Tensor]:
    return [x.flatten(1)[:, :7], 2 * x.mean((2, 3))]


def turn(fake: Tensor) -> GeneratorTurn:
    draw = RandomStream(0, "t", 0, N, CPU)
    return GeneratorTurn(nn.Identity(), torch.zeros(N, 0), None, fake, draw, images(1), hidden(), seen)


def masked(x: Tensor, y: Tensor) -> float:
    each = []
    for a, b, mask in zip(x.numpy(), y.numpy(), hidden().numpy(), strict=True):
        inside = np.broadcast_to(mask > 0, a.shape)
        each.append(np.abs(a - b)[inside].mean() if inside.any() else 0.0)
    return float(np.mean(each))


def matched(x: Tensor, y: Tensor) -> float:
    of_x, of_y = seen(x, None), seen(y, None)
    return float(np.mean([np.abs(a.numpy() - b.numpy()).mean() for a, b in zip(of_x, of_y, strict=True)]))


def dissimilarity(x: Tensor, y: Tensor) -> float:
    """torchmetrics counts windows over the edges too, which it continues by reflection: those are left out."""
    _, whole = structural_similarity_index_measure(x, y, data_range=2.0, return_full_image=True)
    return 1 - float(whole[..., 5:-5, 5:-5].mean())


VGG = random_backbone(vgg("vgg16"))


def perceived(x: Tensor, y: Tensor) -> float:
    """Of the layers conv1_2 and conv3_1, by the network's own modules and ImageNet's colours in 0 to 1."""
    mean, deviation = (torch.tensor(of)[:, None, None] for of in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    a, b = (((images + 1) / 2 - mean) / deviation for images in (x, y))
    each = [float((VGG.features[:end](a) - VGG.features[:end](b)).abs().mean()) for end in (3, 11)]
    return float(np.mean(each))


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """What losses cannot be built without."""
    folder = tmp_path_factory.mktemp("weights")
    file = weights_file(VGG, folder / "vgg16.safetensors")
    return {"perceptual": {"weights": str(file), "network": "vgg16", "layers": ["conv3_1", "conv1_2"]}}


def built(name: str, options: dict[str, dict[str, object]], cache: Path) -> ContentLoss:
    loss: ContentLoss = components.build("content_loss", {"name": name, **options.get(name, {})}, "gan.content")
    loss.check((3, 16, 12))
    loss.prepare(cache)
    return loss


REFERENCES: dict[str, Callable[[Tensor, Tensor], float]] = {
    "l1": lambda x, y: float(np.abs(x.numpy() - y.numpy()).mean()),
    "squared_error": lambda x, y: float(np.square(x.numpy() - y.numpy()).mean()),
    "charbonnier": lambda x, y: float(np.sqrt(np.square(x.numpy() - y.numpy()) + 1e-6).mean()),
    "masked_l1": masked,
    "feature_matching": matched,
    "ssim": dissimilarity,
    "perceptual": perceived,
}


def test_every_content_loss_has_a_reference() -> None:
    assert set(REFERENCES) == set(components.choices("content_loss"))


@pytest.mark.parametrize("name", REFERENCES)
def test_it_is_its_reference(name: str, options: dict[str, dict[str, object]], tmp_path: Path) -> None:
    loss = built(name, options, tmp_path)
    fake = images(2)
    assert float(loss(turn(fake))) == pytest.approx(REFERENCES[name](fake, images(1)), rel=2e-5)


@pytest.mark.parametrize("name", REFERENCES)
def test_it_is_least_at_the_image_itself_and_has_a_gradient_elsewhere(
    name: str, options: dict[str, dict[str, object]], tmp_path: Path
) -> None:
    loss = built(name, options, tmp_path)
    fake = images(2).requires_grad_()
    away = loss(turn(fake))
    away.backward()
    assert fake.grad is not None
    assert fake.grad.abs().sum() > 0
    assert float(loss(turn(images(1)))) <= 1e-3 + 1e-6 < away.item()  # Charbonnier's is its epsilon


@pytest.mark.parametrize("weight", [0.0, -1.0])
def test_a_weight_that_teaches_nothing_is_refused(weight: float) -> None:
    with pytest.raises(ConfigError, match=r"gan\.content\.weight=.*more than 0"):
        components.build("content_loss", {"name": "l1", "weight": weight}, "gan.content")


def test_the_window_of_ssim_shrinks_to_small_images() -> None:
    loss = components.build("content_loss", {"name": "ssim"}, "gan.content")
    small = GeneratorTurn(
        nn.Identity(), torch.zeros(2, 0), None, torch.zeros(2, 1, 8, 8), RandomStream(0, "t", 0, 2, CPU),
        torch.zeros(2, 1, 8, 8),
    )  # fmt: skip
    assert float(loss(small)) == pytest.approx(0.0, abs=1e-6)
