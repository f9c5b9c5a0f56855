"""Eight Gaussians on a circle (PacGAN: Lin et al., 2018, section 4.1, after VEEGAN: Srivastava et al., 2017)."""

import math
from dataclasses import dataclass
from pathlib import Path

from ganflow.config.components import component
from ganflow.data.prepared.dataset import Mixture
from ganflow.data.source import Content
from ganflow.data.sources.gaussian_mixture import PointSet

MIXTURE = Mixture(tuple((math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)) for k in range(8)), sigma=0.01)


@component("source", "ring8")
@dataclass
class Ring8(PointSet):
    """Centres on the unit circle, σ 0.01."""

    def read(self, root: Path, scratch: Path) -> Content:
        """Draw the points; neither folder is touched."""
        return self.draw("ring8", MIXTURE)
