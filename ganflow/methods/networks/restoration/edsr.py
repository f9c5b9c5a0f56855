"""EDSR (Lim et al., 2017, "Enhanced deep residual networks for single image super-resolution", section 3)."""

from torch import Tensor, nn

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.networks.restoration.base import EnlargingGenerator
from ganflow.methods.networks.restoration.enlargement import shuffled, start_small
from ganflow.signals.base import Shape


class ResidualBlock(nn.Module):
    """``x + scale·W₂ ReLU(W₁ x)``, without normalisation: (N, width, H, W) → the same."""

    def __init__(self, width: int, scale: float) -> None:
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.conv2(self.conv1(x).relu())
        return x + self.scale * residual


@component("generator", "edsr")
class EDSRGenerator(EnlargingGenerator):
    """Residual blocks without normalisation under one skip, then pixel shuffle; the image is the simple one and this.

    The paper's baseline has ``blocks=16 width=64``, its large network ``blocks=32 width=256 scale=0.1``. Its authors
    learn the whole image, less the mean colour; here it is what the simple enlargement lacks, and the last layer starts
    with a tenth of its weights. Where nothing is enlarged it denoises, deblurs or fills in.
    """

    def __init__(
        self,
        latent_dim: int,
        shape: Shape,
        given: Shape | None,
        blocks: int = 8,
        width: int = 32,
        scale: float = 1.0,
    ) -> None:
        super().__init__("edsr", latent_dim, shape, given)
        for key, value in (("blocks", blocks), ("width", width), ("scale", scale)):
            require(value > 0, key, value, "must be more than 0")
        assert given is not None
        self.first = nn.Conv2d(given[0], width, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(width, scale) for _ in range(blocks)))
        self.after = nn.Conv2d(width, width, 3, padding=1)
        self.enlarge = nn.Sequential(*shuffled(width, self.factor))
        self.last = start_small(nn.Conv2d(width, shape[0], 3, padding=1))

    def residual(self, given: Tensor) -> Tensor:
        x = self.first(given)
        learned: Tensor = self.last(self.enlarge(x + self.after(self.blocks(x))))
        return learned
