import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist

from ganflow.errors import ConfigError, GanflowError
from ganflow.evaluation.metrics.diversity import Diversity, mean_distance
from ganflow.evaluation.metrics.features import Features


def drawn(n: int, scale: float, seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(3, scale, (n, 4)))


def diversity(fake: torch.Tensor, real: torch.Tensor, pairs: int = 10_000) -> float:
    return Diversity(pairs)(*(Features(x, torch.empty(len(x), 0)) for x in (fake, real)))["diversity"]


def test_distances_average_to_scipy_s_over_all_pairs() -> None:
    x = drawn(60, 2.0, 0)
    every = pdist(x.numpy())
    assert mean_distance(x, 40_000) == pytest.approx(every.mean(), abs=4 * every.std() / 200)


def test_a_pair_is_never_a_row_with_itself() -> None:
    two = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    assert mean_distance(two, 1000) == 5


def test_known_answers() -> None:
    real = drawn(2000, 1.0, 1)
    assert diversity(drawn(2000, 1.0, 2), real) == pytest.approx(1, abs=0.03)
    assert diversity(drawn(500, 0.5, 3), real) == pytest.approx(0.5, abs=0.03)
    assert diversity(real[:1].repeat(50, 1), real) == 0
    assert diversity(real, real) == 1


def test_what_has_no_spread_to_compare_with_is_refused() -> None:
    with pytest.raises(GanflowError) as refused:
        diversity(drawn(9, 1.0, 4), torch.ones(9, 4))
    assert str(refused.value) == "diversity: all reference images have the same features; leave diversity out"
    with pytest.raises(GanflowError, match=r"^diversity needs at least 2 images, got 1$"):
        diversity(drawn(1, 1.0, 4), drawn(9, 1.0, 5))
    with pytest.raises(ConfigError, match=r"^pairs=0: must be at least 1$"):
        Diversity(0)
