from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganflow.distributed import rng
from ganflow.errors import ConfigError, GanflowError
from ganflow.evaluation.metrics.features import Features
from ganflow.evaluation.metrics.ppl import PPL, trimmed_mean
from ganflow.methods.generator import Generator, GeneratorSpec

SPEC = GeneratorSpec({"name": "mlp"}, 6, (2, 2, 2), 0)


def flat(images: Tensor) -> Features:
    x = images.flatten(1)
    return Features(x, x[:, :0])


class Linear(nn.Module):
    """G(z) = Az as images (2, 2, 2), so small that none is clamped."""

    def __init__(self) -> None:
        super().__init__()
        self.A = nn.Parameter(0.05 * torch.randn(8, 6, generator=torch.Generator().manual_seed(0)))

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        return (z @ self.A.T).view(-1, 2, 2, 2)


def speeds(A: np.ndarray, samples: int) -> np.ndarray:
    """‖127.5 A dz/dt‖² on the great circle, by its derivative."""
    z0, z1 = (rng.normal(0, name, 0, samples, 6).astype(float) for name in ("sample", "path"))
    cosine = (z0 * z1).sum(1) / np.linalg.norm(z0, axis=1) / np.linalg.norm(z1, axis=1)
    angle, t = np.arccos(cosine)[:, None], rng.uniform(0, "ppl", 0, samples, 1).astype(float)
    direction = angle * (np.cos(t * angle) * z1 - np.cos((1 - t) * angle) * z0) / np.sin(angle)
    return np.square(127.5 * direction @ A.T).sum(1)


def trimmed(values: np.ndarray) -> float:
    low, high = np.percentile(values, 1, method="lower"), np.percentile(values, 99, method="higher")
    return float(values[(values >= low) & (values <= high)].mean())


@pytest.mark.parametrize("samples", [150, 1000])
def test_a_linear_generator_s_is_the_speed_of_its_ways(samples: int) -> None:
    network = Linear()
    expected = trimmed(speeds(network.A.detach().double().numpy(), samples))
    assert PPL(samples)(Generator(network, SPEC), flat) == {"ppl": pytest.approx(expected, rel=2e-3)}


def test_the_step_hardly_matters() -> None:
    torch.manual_seed(0)
    spec = GeneratorSpec({"name": "mlp"}, 16, (1, 8, 8), 0)
    generator = Generator(spec.build(), spec)
    coarse, fine = (PPL(200, epsilon)(generator, flat)["ppl"] for epsilon in (3e-4, 1e-4))
    assert coarse == pytest.approx(fine, rel=0.01)


def test_twice_the_contrast_is_four_times_the_length_and_what_is_clamped_does_not_move() -> None:
    network = Linear()
    once = PPL(200)(Generator(network, SPEC), flat)["ppl"]
    network.A.data.mul_(2)
    assert PPL(200)(Generator(network, SPEC), flat)["ppl"] == pytest.approx(4 * once, rel=0.01)
    network.A.data.mul_(1e6)
    assert PPL(200)(Generator(network, SPEC), flat)["ppl"] == 0


@dataclass
class Recorder:
    """A generator that remembers what it is asked for."""

    spec: GeneratorSpec
    labels: list[Tensor | None] = field(default_factory=list)
    noises: list[list[int]] = field(default_factory=list)

    def path(self, seed: int, first: int, count: int, at: Tensor) -> Tensor:
        return at[:, None]

    def noise(self, seed: int, first: int, count: int) -> Tensor:
        return torch.arange(first, first + count)[:, None]

    def draw(
        self, z: Tensor, labels: Tensor | None, truncation: float | None = None, noise: Tensor | None = None
    ) -> Tensor:
        assert noise is not None
        self.noises.append(noise.flatten().tolist())
        self.labels.append(labels)
        return z.view(-1, 1, 1, 1)


def test_way_i_is_of_class_i_at_both_ends() -> None:
    asked = Recorder(GeneratorSpec({"name": "mlp"}, 4, (1, 1, 1), 3))
    PPL(130)(asked, flat)
    labels = [row.tolist() for row in asked.labels if row is not None]
    assert labels[0] == labels[1] == [i % 3 for i in range(100)]
    assert labels[2] == labels[3] == [i % 3 for i in range(100, 130)]
    assert asked.noises[0] == asked.noises[1] == list(range(100))
    assert asked.noises[2] == asked.noises[3] == list(range(100, 130))
    unconditional = Recorder(GeneratorSpec({"name": "mlp"}, 4, (1, 1, 1), 0))
    PPL(130)(unconditional, flat)
    assert unconditional.labels == [None] * 4


def test_of_points_nothing_is_said() -> None:
    assert PPL()(Recorder(GeneratorSpec({"name": "mlp"}, 2, (2, 1, 1), 0, kind="points")), flat) == {}


def test_the_outermost_hundredths_do_not_count() -> None:
    values = np.random.default_rng(0).lognormal(0, 3, 517)
    assert trimmed_mean(torch.from_numpy(values)) == pytest.approx(trimmed(values))
    assert trimmed_mean(torch.from_numpy(values)) < values.mean()


def test_features_that_are_not_finite_are_refused() -> None:
    broken: Callable[[Tensor], Features] = lambda images: flat(images / 0)  # noqa: E731
    with pytest.raises(GanflowError) as refused:
        PPL(10)(Generator(Linear(), SPEC), broken)
    assert str(refused.value) == "ppl: features hold NaN or infinity; the generator has diverged"


@pytest.mark.parametrize(
    ("samples", "epsilon", "line"),
    [(1, 1e-4, "samples=1: must be at least 2"), (10, 0.0, "epsilon=0.0: more than 0, less than 1")],
)
def test_impossible_options_are_refused(samples: int, epsilon: float, line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        PPL(samples, epsilon)
    assert str(refused.value) == line
