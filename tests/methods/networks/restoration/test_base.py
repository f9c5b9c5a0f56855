"""What holds of every generator that makes an image of what it is given."""

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganflow.config import components, composition
from ganflow.data.prepared.dataset import Facts
from ganflow.errors import ConfigError
from ganflow.methods.build import check_fits
from ganflow.methods.networks.facts import network_facts
from ganflow.methods.networks.restoration.base import RestorationGenerator
from tests.methods.networks.test_every_network import ENLARGERS, RESTORERS, SMALL, moved

Shape = tuple[int, int, int]
NAMES = sorted(RESTORERS)
EVERY_FACTOR = list(product(sorted(ENLARGERS), (1, 2, 3, 4, 8)))


def build(name: str, shape: Shape, given: Shape | None, latent_dim: int = 0, **options: Any) -> RestorationGenerator:
    torch.manual_seed(0)
    node = {"name": name, **SMALL["generator"][name], **options}
    facts = {"latent_dim": latent_dim, **network_facts(shape, 0, given)}
    G = components.build("generator", node, "gan.generator", **facts)
    assert isinstance(G, RestorationGenerator)
    return G


def restored(G: nn.Module, given: Tensor) -> Tensor:
    images: Tensor = G(given.new_empty(len(given), 0), None, given)
    return images


def refusal(name: str, shape: Shape, given: Shape | None, latent_dim: int = 0, **options: Any) -> str:
    with pytest.raises(ConfigError) as refused:
        build(name, shape, given, latent_dim, **options)
    return str(refused.value)


@pytest.mark.parametrize(("name", "factor"), EVERY_FACTOR)
def test_it_enlarges_by_every_factor_and_learns_everywhere(name: str, factor: int) -> None:
    G = build(name, (3, 6 * factor, 4 * factor), (4, 6, 4))
    assert G.factor == factor
    images = restored(G, torch.randn(2, 4, 6, 4))
    assert images.shape == (2, 3, 6 * factor, 4 * factor)
    images.square().sum().backward()
    assert [n for n, p in G.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


@pytest.mark.parametrize(("name", "factor"), [(name, factor) for name, factor in EVERY_FACTOR if factor in (1, 4)])
def test_it_begins_near_the_simple_enlargement(name: str, factor: int) -> None:
    G = build(name, (3, 16 * factor, 16 * factor), (3, 16, 16), width=32)
    given = torch.rand(8, 3, 16, 16) * 2 - 1
    simple = interpolate(given, scale_factor=factor, mode="bicubic", antialias=True) if factor > 1 else given
    change = (restored(G, given) - simple).square().mean().sqrt()
    assert 0 < change < 0.1 * simple.std()


@pytest.mark.parametrize("name", sorted(ENLARGERS))
def test_a_grey_image_is_made_a_coloured_one(name: str) -> None:
    given = torch.randn(2, 1, 8, 8)
    G = build(name, (3, 8, 8), (1, 8, 8))
    nn.init.zeros_(G.get_parameter("last.weight"))
    nn.init.zeros_(G.get_parameter("last.bias"))
    assert torch.equal(restored(G, given), given.expand(2, 3, 8, 8))


@pytest.mark.parametrize("name", sorted(ENLARGERS))
def test_a_mask_is_looked_at_and_not_shown(name: str) -> None:
    G, given = moved(build(name, (1, 8, 8), (2, 8, 8))).eval(), torch.randn(1, 2, 8, 8)
    other = torch.cat([given[:, :1], 1 - given[:, 1:]], dim=1)
    assert not torch.equal(restored(G, given), restored(G, other))
    nn.init.zeros_(G.get_parameter("last.weight"))
    nn.init.zeros_(G.get_parameter("last.bias"))
    assert torch.equal(restored(G, given), given[:, :1])


@pytest.mark.parametrize("name", [name for name in NAMES if name != "autoencoder"])
def test_it_takes_sizes_other_than_the_one_it_was_built_for(name: str) -> None:
    G = moved(build(name, (3, 16, 16), (3, 16, 16))).eval()
    assert G.any_size
    rows, columns = G.multiple, 3 * G.multiple
    images = restored(G, torch.randn(2, 3, rows, columns))
    assert images.shape == (2, 3, rows, columns)
    assert images.isfinite().all()


@pytest.mark.parametrize("name", sorted(ENLARGERS))
def test_a_large_image_is_its_parts(name: str) -> None:
    """So far as layers do not see beyond the middle: a tile of it is restored as the whole is."""
    G = moved(build(name, (1, 96, 96), (1, 48, 48), blocks=1)).double().eval()
    given = torch.randn(1, 1, 48, 48, dtype=torch.float64)
    whole, tile = restored(G, given), restored(G, given[:, :, :, :40])
    torch.testing.assert_close(tile[..., :10], whole[..., :10])


OVER_THE_BATCH = ("srresnet", "autoencoder")  # by batch normalisation, of the latter's decoder
OF_EACH: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in NAMES if name not in OVER_THE_BATCH] + [
    ("unet", {"norm": "none"})
]


@pytest.mark.parametrize(("name", "options"), OF_EACH)
def test_an_image_does_not_depend_on_the_others_of_its_batch(name: str, options: dict[str, Any]) -> None:
    G = moved(build(name, (3, 16, 16), (3, 16, 16), **options)).double().train()
    given = torch.randn(3, 3, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(restored(G, given), torch.cat([restored(G, one) for one in given.split(1)]))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_given_is_one_line(name: str) -> None:
    way = "makes images of what it is given, and nothing is given; set given=[noise] or another"
    assert refusal(name, (3, 16, 16), None) == f"gan.generator.name={name}: {way}"
    with pytest.raises(ConfigError) as refused:
        check_fits(composition.compose([f"gan/generator={name}"]), Facts((3, 32, 32), 10))
    assert str(refused.value) == f"gan.generator.name={name}: {way}"


@pytest.mark.parametrize(
    ("shape", "given", "latent_dim", "why"),
    [
        ((3, 32, 32), (3, 32, 32), 64, "takes no noise; set gan.latent_dim=0"),
        ((3, 32, 32), (3, 6, 6), 0, "cannot make 32×32 images of 6×6; it enlarges by 1, 2, 3, 4 or 8"),
        ((3, 30, 30), (3, 6, 6), 0, "cannot make 30×30 images of 6×6; it enlarges by 1, 2, 3, 4 or 8"),
        ((3, 32, 48), (3, 16, 16), 0, "cannot make 48×32 images of 16×16; it enlarges by 1, 2, 3, 4 or 8"),
        ((3, 16, 16), (3, 32, 32), 0, "cannot make 16×16 images of 32×32; it enlarges by 1, 2, 3, 4 or 8"),
        ((1, 16, 16), (3, 16, 16), 0, "cannot make images of 1 channels of 3"),
    ],
)
@pytest.mark.parametrize("name", sorted(ENLARGERS))
def test_what_does_not_become_such_images_is_one_line(
    name: str, shape: Shape, given: Shape, latent_dim: int, why: str
) -> None:
    assert refusal(name, shape, given, latent_dim) == f"gan.generator.name={name}: {why}"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("edsr", "blocks"), ("edsr", "width"), ("edsr", "scale"),
        ("srresnet", "blocks"), ("srresnet", "width"),
        ("rrdb", "blocks"), ("rrdb", "width"), ("rrdb", "growth"), ("rrdb", "scale"),
    ],
)  # fmt: skip
def test_sizes_of_nothing_are_one_line(name: str, key: str) -> None:
    value = 0.0 if key == "scale" else 0
    options: dict[str, Any] = {key: value}
    line = refusal(name, (3, 16, 16), (3, 16, 16), **options)
    assert line == f"gan.generator.{key}={value}: must be more than 0"
