import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganflow.generation.tiles import tiled


def looks_around() -> nn.Module:
    """Two 5×5 convolutions: a pixel depends on those up to four away."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 5, padding=2), nn.ReLU(), nn.Conv2d(3, 1, 5, padding=2)).requires_grad_(False)


@pytest.mark.parametrize(("height", "width", "tile"), [(33, 20, 8), (8, 8, 8), (5, 50, 7), (16, 16, 100)])
@pytest.mark.parametrize("factor", [1, 3])
def test_tiles_are_the_whole_where_the_margin_is_as_deep_as_the_network_looks(
    height: int, width: int, tile: int, factor: int
) -> None:
    network = looks_around()
    given = torch.rand(1, 2, height, width, generator=torch.Generator().manual_seed(1))

    def make(part: Tensor) -> Tensor:
        return interpolate(network(part), scale_factor=factor, mode="nearest")

    torch.testing.assert_close(tiled(make, given, factor, tile, margin=4), make(given))


def test_a_margin_that_is_too_thin_shows() -> None:
    network, given = looks_around(), torch.rand(1, 2, 32, 32)
    assert not torch.allclose(tiled(network, given, 1, 8, margin=0), network(given), atol=1e-3)
