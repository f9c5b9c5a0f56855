"""Perceptual path length (Karras et al., 2019): how abruptly images change along a way through the latent space."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.distributed import rng
from ganflow.errors import require
from ganflow.evaluation.metrics.base import LOWER, Figure, Metric
from ganflow.evaluation.metrics.features import Features, UnmeasurableError
from ganflow.signals import Signal

SEED = 0  # of the ways: every generator is measured on the same ones
BATCH = 100


class Spec(Protocol):
    """The facts that must be known of a generator."""

    @property
    def num_classes(self) -> int: ...
    @property
    def signal(self) -> Signal: ...


class WGenerator(Protocol):
    """The calls that are made of a generator."""

    @property
    def spec(self) -> Spec: ...
    def path(self, seed: int, first: int, count: int, at: Tensor) -> Tensor: ...
    def noise(self, seed: int, first: int, count: int) -> Tensor | None: ...
    def draw(
        self, z: Tensor, labels: Tensor | None, truncation: float | None = None, noise: Tensor | None = None
    ) -> Tensor: ...


@component("metric", "ppl")
class PPL(Metric):
    """``E[‖f(G(slerp(z₁, z₂; t))) − f(G(slerp(z₁, z₂; t + ε)))‖² / ε²]`` with t uniform (section 4.1 there).

    Lower is smoother. Of ``samples`` ways; f are the extractor's features, where the paper has VGG's: figures compare
    under one extractor. The outermost hundredths of the values are left out, as in the authors' code. With ``epsilon``
    at 1e-4 both the rounding of float32 (which prevails below) and the bend of the way (above) are less than a
    thousandth of the figure. Nothing is said of points.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "ppl": Figure(
            "Perceptual path length",
            LOWER,
            "How abruptly pictures change on the ways between latents.",
            "a generator of images",
        ),
    }
    needs = ("generator", "extract")

    def __init__(self, samples: int = 2000, epsilon: float = 1e-4) -> None:
        require(samples > 1, "samples", samples, "must be at least 2")
        require(0 < epsilon < 1, "epsilon", epsilon, "more than 0, less than 1")
        self.samples, self.epsilon = samples, epsilon

    def __call__(self, generator: WGenerator, extract: Callable[[Tensor], Features]) -> dict[str, float]:
        if not generator.spec.signal.bounded:
            return {}
        counts = [(first, min(BATCH, self.samples - first)) for first in range(0, self.samples, BATCH)]
        with _exact_convolutions():
            values = torch.cat([self._lengths(generator, extract, *count) for count in counts])
        if not values.isfinite().all():
            raise UnmeasurableError("ppl: features hold NaN or infinity; the generator has diverged")
        return {"ppl": trimmed_mean(values)}

    def _lengths(self, generator: WGenerator, extract: Callable[[Tensor], Features], first: int, count: int) -> Tensor:
        """The values of ways ``first … first + count - 1``: (count,), in float64."""
        at = torch.from_numpy(rng.uniform(SEED, "ppl", first, count, 1))[:, 0]
        moved = at + self.epsilon
        classes = generator.spec.num_classes
        labels = torch.arange(first, first + count) % classes if classes else None
        noise, ends = generator.noise(SEED, first, count), []  # the same all the way
        for t in (at, moved):
            images = generator.draw(generator.path(SEED, first, count, t), labels, noise=noise)
            pixels = (127.5 * images + 127.5).clamp(0, 255)  # not rounded: a grey level is more than the step
            ends.append(extract(pixels).embeddings.double())
        step = (moved - at).to(ends[0])  # as float32 has it
        return (ends[1] - ends[0]).square().sum(1) / step.square()


def trimmed_mean(values: Tensor) -> float:
    """Mean of the values (N,) between their 1st and 99th percentile."""
    low = values.quantile(0.01, interpolation="lower")
    high = values.quantile(0.99, interpolation="higher")
    return float(values[(values >= low) & (values <= high)].mean())


def _exact_convolutions() -> AbstractContextManager[None]:
    """No TensorFloat-32 on GPUs: its ten bits are coarser than the step."""
    cudnn = torch.backends.cudnn
    flags: AbstractContextManager[None] = cudnn.flags(
        cudnn.enabled, benchmark=cudnn.benchmark, deterministic=cudnn.deterministic, allow_tf32=False
    )
    return flags
