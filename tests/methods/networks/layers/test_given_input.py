"""Discriminators that judge an image beside what G was given."""

from typing import Any

import pytest
import torch

from ganflow.config import components
from ganflow.errors import ConfigError
from ganflow.methods.networks.base import Discriminator
from ganflow.methods.networks.facts import network_facts
from tests.methods.networks.test_every_network import SMALL

NAMES = [name for name, cls in components.choices("discriminator").items() if "given" in components.facts_of(cls)]
OF_IMAGE_AND_MASK = (4, 16, 16)


def build(name: str, channels: int, given: tuple[int, int, int] | None, **options: Any) -> Discriminator:
    torch.manual_seed(0)
    node = {"name": name, **SMALL["discriminator"][name], **options}
    facts = network_facts((channels, 16, 16), 0, given)
    D = components.build("discriminator", node, "gan.discriminator", conditioning="none", **facts)
    assert isinstance(D, Discriminator)
    return D


def test_these_may_see_it() -> None:
    assert NAMES == ["multi_scale", "patch", "unet"]


@pytest.mark.parametrize("name", NAMES)
def test_it_judges_what_was_given_and_the_image_as_one(name: str) -> None:
    D, of_seven = build(name, 3, OF_IMAGE_AND_MASK, sees_given=True).eval(), build(name, 7, None).eval()
    assert isinstance(D, Discriminator)
    assert (D.sees_given, of_seven.sees_given) == (True, False)
    images, given = torch.randn(2, 3, 16, 16), torch.randn(2, *OF_IMAGE_AND_MASK)
    assert torch.equal(D(images, None, given), of_seven(torch.cat([given, images], 1)))


@pytest.mark.parametrize("name", NAMES)
def test_without_it_the_image_alone_is_judged(name: str) -> None:
    D, alone = build(name, 3, OF_IMAGE_AND_MASK).eval(), build(name, 3, None).eval()
    images = torch.randn(2, 3, 16, 16)
    assert not D.sees_given
    assert torch.equal(D(images), alone(images))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("given", "why"),
    [
        (None, "nothing is given; set given=[noise] or another, or this to false"),
        ((3, 8, 16), "16×8 is given for images of 16×16; set it to false"),
    ],
)
def test_what_cannot_be_seen_is_one_line(name: str, given: tuple[int, int, int] | None, why: str) -> None:
    with pytest.raises(ConfigError) as refused:
        build(name, 3, given, sees_given=True)
    assert str(refused.value) == f"gan.discriminator.sees_given=True: {why}"
