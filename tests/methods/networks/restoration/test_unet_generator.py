"""Pix2pix's U-Net beside its authors' code, which builds it from the inside out."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganflow.errors import ConfigError
from ganflow.methods.build import shapes_only
from ganflow.methods.networks.restoration.unet_generator import UNetGenerator
from tests.methods.networks.test_every_network import moved

SIZES = [((8, 8), 3), ((28, 28), 2), ((32, 32), 5), ((64, 64), 6), ((32, 48), 4), ((6, 10), 1), ((512, 512), 8)]


class Level(nn.Module):
    """One level of theirs, around those below it: what it is given beside what comes up."""

    def __init__(self, down: list[nn.Module], inner: nn.Module | None, up: list[nn.Module], outermost: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(*down, *([] if inner is None else [inner]), *up)
        self.outermost = outermost

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.layers(x)
        return made if self.outermost else torch.cat([x, made], 1)


def of_the_authors(before: int, after: int, widths: list[int], norm: type[nn.Module]) -> nn.Module:
    network, last = None, len(widths) - 1
    for level in range(last, -1, -1):
        outer, width = (before if level == 0 else widths[level - 1]), widths[level]
        normalised = norm is not nn.Identity
        conv = nn.Conv2d(outer, width, 4, 2, 1, bias=not normalised or level in (0, last))
        down: list[nn.Module] = [conv] if level == 0 else [nn.LeakyReLU(0.2), conv]
        down += [norm(width)] if level not in (0, last) else []
        inputs, outputs = (width if level == last else 2 * width), (after if level == 0 else outer)
        up: list[nn.Module] = [nn.ReLU()]
        up += [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=not normalised or level == 0)]
        up += [nn.Tanh()] if level == 0 else [norm(outputs)]
        network = Level(down, network, up, outermost=level == 0)
    assert network is not None
    return network


@pytest.mark.parametrize("norm", [nn.InstanceNorm2d, nn.BatchNorm2d, nn.Identity])
@pytest.mark.parametrize("levels", [2, 5])
def test_it_is_the_authors(levels: int, norm: type[nn.Module]) -> None:
    name = {nn.InstanceNorm2d: "instance", nn.BatchNorm2d: "batch", nn.Identity: "none"}[norm]
    G = UNetGenerator(0, (3, 32, 64), (4, 32, 64), 0, width=4, levels=levels, norm=name)
    theirs = of_the_authors(4, 3, [4, 8, 16, 32, 32][:levels], norm)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), G.state_dict().values(), strict=True)))
    given = torch.randn(2, 4, 32, 64)
    torch.testing.assert_close(G(torch.empty(2, 0), None, given), theirs(given))


def test_it_is_as_large_as_the_authors_at_256_pixels() -> None:
    with shapes_only():
        G = UNetGenerator(0, (3, 256, 256), (3, 256, 256), 0)
        theirs = of_the_authors(3, 3, [64, 128, 256, 512, 512, 512, 512, 512], nn.InstanceNorm2d)
    sizes = [sum(p.numel() for p in network.parameters()) for network in (G, theirs)]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize(("sides", "levels"), SIZES)
def test_it_halves_as_often_as_the_sides_can_be(sides: tuple[int, int], levels: int) -> None:
    G = UNetGenerator(3, (1, *sides), (2, *sides), 4, width=1)
    assert G.multiple == 2**levels
    images = G(torch.randn(2, 3), torch.tensor([0, 3]), torch.randn(2, 2, *sides))
    assert images.shape == (2, 1, *sides)
    assert images.abs().max() <= 1


@pytest.mark.parametrize("side", [8, 28])
@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_z_and_the_class_change_the_image(side: int, norm: str) -> None:
    G = moved(UNetGenerator(6, (1, side, side), (1, side, side), 4, width=4, norm=norm)).eval()
    given = torch.randn(1, 1, side, side).expand(4, -1, -1, -1)
    z, labels = torch.randn(1, 6).expand(4, -1), torch.arange(4)
    middle = slice(side // 2 - 2, side // 2 + 2)  # far from the border, whose padding tells places apart
    for images in (G(torch.randn(4, 6), labels * 0, given), G(z, labels, given)):
        assert torch.pdist(images[:, 0, middle, middle].flatten(1)).min() > 1e-3


def test_it_learns_everywhere_with_dropout() -> None:
    G = UNetGenerator(6, (1, 32, 32), (1, 32, 32), 4, width=4, dropout=0.5)
    assert [m.p for m in G.up.modules() if isinstance(m, nn.Dropout)] == [0.5, 0.5, 0.5, 0.0]
    arguments = torch.randn(5, 6), torch.arange(5) % 4, torch.randn(5, 1, 32, 32)
    G(*arguments).square().sum().backward()
    assert [n for n, p in G.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []
    assert not torch.equal(G(*arguments), G(*arguments))
    assert torch.equal(G.eval()(*arguments), G(*arguments))


@pytest.mark.parametrize(
    ("sides", "given", "options", "line"),
    [
        ((9, 8), (9, 8), {}, "name=unet: cannot make 8×9 images; set data.resize to an even side, such as 32 or 64"),
        ((8, 8), (4, 8), {}, "name=unet: cannot make 8×8 images of 8×4; set gan/generator=edsr"),
        ((28, 32), (28, 32), {"levels": 3}, "levels=3: 1 to 2 for images of 32×28"),
        ((28, 32), (28, 32), {"levels": 0}, "levels=0: 1 to 2 for images of 32×28"),
        ((8, 8), (8, 8), {"norm": "layer"}, "norm=layer: one of instance, batch, none"),
        ((8, 8), (8, 8), {"width": 0}, "width=0: must be more than 0"),
        ((8, 8), (8, 8), {"dropout": 1.0}, "dropout=1.0: 0 to less than 1"),
    ],
)
def test_what_cannot_be_is_one_line(
    sides: tuple[int, int], given: tuple[int, int], options: dict[str, Any], line: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        UNetGenerator(2, (1, *sides), (1, *given), 0, **options)
    assert str(refused.value) == line
