"""EDSR beside its authors' counts and its paper, written out."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pixel_shuffle

from ganflow.methods.build import shapes_only
from ganflow.methods.networks.restoration.edsr import EDSRGenerator


# The authors' checkpoints, without the 24 numbers of the mean colour that are not learned.
@pytest.mark.parametrize(("factor", "parameters"), [(2, 1_369_859), (3, 1_554_499), (4, 1_517_571)])
def test_the_baseline_is_as_large_as_the_authors(factor: int, parameters: int) -> None:
    with shapes_only():
        G = EDSRGenerator(0, (3, 8 * factor, 8 * factor), (3, 8, 8), blocks=16, width=64)
    assert sum(p.numel() for p in G.parameters()) == parameters


def written_out(w: dict[str, Tensor], given: Tensor) -> Tensor:
    """One block, residual scaling 0.1, twice the size."""

    def conv(name: str, h: Tensor) -> Tensor:
        return conv2d(h, w[f"{name}.weight"], w[f"{name}.bias"], padding=1)

    first = conv("first", given)
    block = first + 0.1 * conv("blocks.0.conv2", conv("blocks.0.conv1", first).clamp(min=0))
    body = first + conv("after", block)
    learned = conv("last", pixel_shuffle(conv("enlarge.0", body), 2))
    return interpolate(given, scale_factor=2, mode="bicubic", antialias=True) + learned


def test_it_is_the_paper_s_beside_the_simple_enlargement() -> None:
    G = EDSRGenerator(0, (3, 12, 16), (3, 6, 8), blocks=1, width=5, scale=0.1)
    given = torch.randn(2, 3, 6, 8)
    torch.testing.assert_close(G(torch.empty(2, 0), None, given), written_out(G.state_dict(), given))
