"""FID of infinitely many samples, by extrapolation (Chong & Forsyth, 2020)."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.evaluation.metrics.base import LOWER, Figure, Metric
from ganflow.evaluation.metrics.features import Features, UnmeasurableError, check_finite
from ganflow.evaluation.metrics.fid import check_rank, frechet_distance, moments

SEED = 0  # of the parts: the same samples get the same figure


@component("metric", "fid_infinity")
class FIDInfinity(Metric):
    """The distance of N samples is biased by about c/N; a line through those of ``sizes`` parts meets 1/N = 0.

    Sizes lie evenly between half of the samples and all; each part is drawn anew. The reference stays as it is, with
    the bias of its own that the protocol fixes.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "fid_infinity": Figure("FID∞", LOWER, "FID as endlessly many samples would give it, without the bias of few."),
    }

    def __init__(self, sizes: int = 15) -> None:
        require(sizes > 1, "sizes", sizes, "must be at least 2")
        self.sizes = sizes

    def fewest(self, features: int) -> int:
        """Samples of which the smallest part still gives a covariance of full rank."""
        return 2 * (features + 1)

    def __call__(self, fake: Features, real: Features) -> dict[str, float]:
        check_finite("fid_infinity", fake, real)
        check_rank("fid_infinity", fake, real)
        self._check_smallest(fake)
        rng = np.random.default_rng(SEED)
        reference = moments(real.embeddings)
        sizes = np.linspace(len(fake) / 2, len(fake), self.sizes).round().astype(int)
        distances = []
        for size in sizes:
            part = torch.from_numpy(rng.permutation(len(fake))[:size]).to(fake.embeddings.device)
            distances.append(frechet_distance(*reference, *moments(fake.embeddings[part])))
        return {"fid_infinity": intercept(1 / sizes, np.array(distances))}

    def _check_smallest(self, fake: Features) -> None:
        smallest, features = len(fake) // 2, fake.embeddings.shape[1]
        if smallest <= features:
            line = f"fid_infinity: half of {len(fake)} samples are no more than {features} features"
            raise UnmeasurableError(f"{line}; raise evaluation.samples")


def intercept(x: np.ndarray, y: np.ndarray) -> float:
    """The intercept of the line of least squares through (x, y)."""
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    return float(y.mean() - slope * x.mean())
