"""ESRGAN's generator (Wang et al., 2018, section 3.1): dense blocks, residuals within residuals, no normalisation."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.networks.restoration.base import EnlargingGenerator
from ganflow.methods.networks.restoration.enlargement import start_small, steps_to
from ganflow.signals.base import Shape

LAYERS, BLOCKS = 5, 3  # of a dense block, and dense blocks of one residual
SLOPE = 0.2
FIRST = 0.1  # times He's weights (section 3.1: smaller initialisation)


class DenseBlock(nn.Module):
    """``x + scale·h₅``, where each layer sees x and all before it (Huang et al., 2017): (N, width, H, W) → the same."""

    def __init__(self, width: int, growth: int, scale: float) -> None:
        super().__init__()
        outputs = [growth] * (LAYERS - 1) + [width]
        self.layers = nn.ModuleList(
            nn.Conv2d(width + layer * growth, after, 3, padding=1) for layer, after in enumerate(outputs)
        )
        self.scale = scale
        for layer in self.layers:
            _initialise(layer)

    def forward(self, x: Tensor) -> Tensor:
        maps, last = [x], len(self.layers) - 1
        for number, layer in enumerate(self.layers):
            h = layer(torch.cat(maps, dim=1))
            maps.append(h if number == last else leaky_relu(h, SLOPE))
        return x + self.scale * maps[-1]


class ResidualInResidual(nn.Module):
    """``x + scale·F(x)``, where F is three dense blocks: (N, width, H, W) → the same."""

    def __init__(self, width: int, growth: int, scale: float) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(DenseBlock(width, growth, scale) for _ in range(BLOCKS)))
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.blocks(x)
        return x + self.scale * residual


@torch.no_grad()
def _initialise(layer: nn.Module) -> None:
    """A tenth of He's weights, no biases: as in the authors' code."""
    assert isinstance(layer, nn.Conv2d)
    assert layer.bias is not None
    nn.init.kaiming_normal_(layer.weight)
    layer.weight.mul_(FIRST)
    nn.init.zeros_(layer.bias)


@component("generator", "rrdb")
class RRDBGenerator(EnlargingGenerator):
    """Residual-in-residual dense blocks under one skip, then nearest neighbours and convolutions; ESRGAN's network.

    The authors learn the whole image; here it is what the simple enlargement lacks, and the last layer starts with a
    tenth of its weights.
    """

    def __init__(
        self,
        latent_dim: int,
        shape: Shape,
        given: Shape | None,
        blocks: int = 23,
        width: int = 64,
        growth: int = 32,
        scale: float = 0.2,
    ) -> None:
        super().__init__("rrdb", latent_dim, shape, given)
        for key, value in (("blocks", blocks), ("width", width), ("growth", growth), ("scale", scale)):
            require(value > 0, key, value, "must be more than 0")
        assert given is not None
        self.first = nn.Conv2d(given[0], width, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualInResidual(width, growth, scale) for _ in range(blocks)))
        self.after = nn.Conv2d(width, width, 3, padding=1)
        self.steps = steps_to(self.factor)
        self.up = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in self.steps)
        self.refine = nn.Conv2d(width, width, 3, padding=1)
        self.last = start_small(nn.Conv2d(width, shape[0], 3, padding=1))

    def residual(self, given: Tensor) -> Tensor:
        x = self.first(given)
        h = x + self.after(self.blocks(x))
        for step, layer in zip(self.steps, self.up, strict=True):
            h = leaky_relu(layer(interpolate(h, scale_factor=float(step))), SLOPE)
        learned: Tensor = self.last(leaky_relu(self.refine(h), SLOPE))
        return learned
