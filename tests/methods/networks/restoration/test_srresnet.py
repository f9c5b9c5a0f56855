"""SRResNet beside figure 4 of its paper, written as a list of layers."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganflow.methods.build import shapes_only
from ganflow.methods.networks.restoration.srresnet import SRResNetGenerator


class Skip(nn.Module):
    """``x + F(x)``."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.layers(x)
        return x + made


def conv(before: int, after: int, kernel: int = 3) -> nn.Module:
    return nn.Conv2d(before, after, kernel, padding=kernel // 2)


def of_the_paper(blocks: int, n: int) -> nn.Sequential:
    """k9n64s1 - B residual blocks - k3n64s1 under a skip - two of k3n256s1 and shuffle - k9n3s1."""
    body = [Skip(conv(n, n), nn.BatchNorm2d(n), nn.PReLU(), conv(n, n), nn.BatchNorm2d(n)) for _ in range(blocks)]
    up = [layer for _ in range(2) for layer in (conv(n, 4 * n), nn.PixelShuffle(2), nn.PReLU())]
    return nn.Sequential(
        conv(3, n, 9), nn.PReLU(), Skip(*body, conv(n, n), nn.BatchNorm2d(n)), *up, conv(n, 3, 9)
    )  # fmt: skip


def test_it_is_the_paper_s_beside_the_simple_enlargement() -> None:
    G, theirs = SRResNetGenerator(0, (3, 24, 32), (3, 6, 8), blocks=2, width=4), of_the_paper(2, 4)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), G.state_dict().values(), strict=True)))
    given = torch.randn(3, 3, 6, 8)
    simple = interpolate(given, scale_factor=4, mode="bicubic", antialias=True)
    torch.testing.assert_close(G(torch.empty(3, 0), None, given), simple + theirs(given))


def test_by_default_it_is_as_large_as_the_paper_s() -> None:
    with shapes_only():
        G, theirs = SRResNetGenerator(0, (3, 32, 32), (3, 8, 8)), of_the_paper(16, 64)
    sizes = [sum(p.numel() for p in network.parameters()) for network in (G, theirs)]
    assert sizes[0] == sizes[1] == 1_549_462
