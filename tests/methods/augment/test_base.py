"""What holds for every augmentation, at its strongest."""

import copy

import pytest
import torch
from torch import Tensor

from ganflow.config import components
from ganflow.distributed.rng import RandomStream
from ganflow.methods.augment.base import Augmentation, in_float32

STRONGEST = {
    name: {"name": name} | ({"p": 1.0, "pipeline": "bgcfno"} if name == "ada" else {})
    for name in components.choices("augmentation")
}
EACH = pytest.mark.parametrize("name", STRONGEST)


def strongest(name: str) -> Augmentation:
    made: Augmentation = components.build("augmentation", STRONGEST[name], "gan.augmentation")
    return made


def images(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def draw(count: int, first: int = 0, stream: str = "D/judge-1") -> RandomStream:
    return RandomStream(0, stream, first, count, torch.device("cpu"))


@EACH
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("side", [4, 5, 28])
def test_shape_and_dtype_stay(name: str, channels: int, side: int) -> None:
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        x = images(3, channels, side, side).to(dtype)
        out = strongest(name)(x, draw(3))
        assert (out.shape, out.dtype) == (x.shape, dtype)
        assert bool(out.isfinite().all())


@EACH
@pytest.mark.parametrize("channels", [1, 3])
def test_first_and_second_derivatives_are_those_of_finite_differences(name: str, channels: int) -> None:
    module, x = strongest(name), images(3, channels, 4, 4).requires_grad_()

    def bent(x: Tensor) -> Tensor:
        return module(x, draw(3)).pow(3)

    assert torch.autograd.gradcheck(bent, (x,))
    assert torch.autograd.gradgradcheck(bent, (x,))


@EACH
def test_rows_that_are_split_over_ranks_are_those_of_the_whole(name: str) -> None:
    module, x = strongest(name), images(8, 3, 8, 8)
    halves = [module(x[:3], draw(3, first=40)), module(x[3:], draw(5, first=43))]
    torch.testing.assert_close(torch.cat(halves), module(x, draw(8, first=40)), rtol=0, atol=1e-12)


@EACH
def test_every_image_and_every_sight_of_it_has_its_own_draw(name: str) -> None:
    module, x = strongest(name), images(1, 3, 8, 8).expand(6, -1, -1, -1)
    seen = torch.cat([module(x, draw(6)), module(x, draw(6, stream="D/judge-2"))])
    distinct = len({tuple(image.flatten().tolist()) for image in seen})
    assert distinct == (1 if name == "none" else 12)


@EACH
def test_bfloat16_around_it_rounds_no_place(name: str) -> None:
    x = images(4, 3, 32, 32).float()
    exact = strongest(name)(x, draw(4))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(strongest(name)(x, draw(4)), exact)
        half = strongest(name)(x.bfloat16(), draw(4))
    torch.testing.assert_close(half.float(), strongest(name)(x.bfloat16().float(), draw(4)), rtol=2**-8, atol=1e-6)


class Product(Augmentation):
    """What autocast would round."""

    @in_float32
    def forward(self, images: Tensor, draw: RandomStream) -> Tensor:
        return images @ images.mT


def test_a_product_that_autocast_would_round_is_not_rounded() -> None:
    x = images(2, 1, 4, 4).float()
    with torch.autocast("cpu", torch.bfloat16):
        out, half = Product()(x, draw(2)), Product()(x.bfloat16(), draw(2))
    torch.testing.assert_close(out.double(), x.double() @ x.double().mT, rtol=1e-5, atol=1e-6)
    assert half.dtype is torch.bfloat16


@EACH
def test_copies_and_restored_states_see_the_same(name: str) -> None:
    module, x = strongest(name), images(4, 3, 8, 8)
    options = {key: value for key, value in STRONGEST[name].items() if key != "p"}  # which is state
    restored: Augmentation = components.build("augmentation", options, "gan.augmentation")
    restored.load_state_dict(module.state_dict())
    for other in (copy.deepcopy(module), restored):
        assert torch.equal(other(x, draw(4)), module(x, draw(4)))
