"""Twenty-five Gaussians on a grid (PacGAN: Lin et al., 2018, section 4.1, after VEEGAN: Srivastava et al., 2017)."""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

from ganflow.config.components import component
from ganflow.data.prepared.dataset import Mixture
from ganflow.data.source import Content
from ganflow.data.sources.gaussian_mixture import PointSet

MIXTURE = Mixture(tuple(product((-4.0, -2.0, 0.0, 2.0, 4.0), repeat=2)), sigma=0.05)


@component("source", "grid25")
@dataclass
class Grid25(PointSet):
    """Centres at {-4, -2, 0, 2, 4}², σ 0.05."""

    def read(self, root: Path, scratch: Path) -> Content:
        """Draw the points; neither folder is touched."""
        return self.draw("grid25", MIXTURE)
