"""SRResNet, SRGAN's generator (Ledig et al., 2017, figure 4): residual blocks with batch normalisation."""

from torch import Tensor, nn

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.networks.restoration.base import EnlargingGenerator
from ganflow.methods.networks.restoration.enlargement import shuffled, start_small
from ganflow.signals.base import Shape


class NormalisedBlock(nn.Module):
    """``x + BN(W₂ PReLU(BN(W₁ x)))``: (N, width, H, W) → the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.PReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.layers(x)
        return x + residual


@component("generator", "srresnet")
class SRResNetGenerator(EnlargingGenerator):
    """Blocks of convolution, batch normalisation and PReLU under one skip, then pixel shuffle; the first of SRGAN.

    The authors learn the whole image; here it is what the simple enlargement lacks, and the last layer starts with a
    tenth of its weights.
    """

    def __init__(self, latent_dim: int, shape: Shape, given: Shape | None, blocks: int = 16, width: int = 64) -> None:
        super().__init__("srresnet", latent_dim, shape, given)
        for key, value in (("blocks", blocks), ("width", width)):
            require(value > 0, key, value, "must be more than 0")
        assert given is not None
        self.first = nn.Sequential(nn.Conv2d(given[0], width, 9, padding=4), nn.PReLU())
        self.blocks = nn.Sequential(*(NormalisedBlock(width) for _ in range(blocks)))
        self.after = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width))
        self.enlarge = nn.Sequential(*shuffled(width, self.factor, nn.PReLU))
        self.last = start_small(nn.Conv2d(width, shape[0], 9, padding=4))

    def residual(self, given: Tensor) -> Tensor:
        x = self.first(given)
        learned: Tensor = self.last(self.enlarge(x + self.after(self.blocks(x))))
        return learned
