"""Points are drawn as PacGAN draws them: known centres, known spread, every mode as often as the other."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset
from ganflow.errors import ConfigError
from tests.data.made import everything, source

RING = np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], axis=1)
GRID = np.array(list(product(range(-4, 5, 2), repeat=2)), float)


@pytest.fixture(scope="module", params=["ring8", "grid25"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def root(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp(name) / "data"
    report = prepare(source(name), out)
    assert {split: tally["count"] for split, tally in report["splits"].items()} == {"train": 100_000, "test": 10_000}
    assert report["facts"]["kind"] == "points"
    return out


def protocol(name: str) -> tuple[np.ndarray, float]:
    return (RING, 0.01) if name == "ring8" else (GRID, 0.05)


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_mode_has_its_centre_its_spread_and_its_share(name: str, root: Path, split: str) -> None:
    centres, sigma = protocol(name)
    data, points = Dataset.open(root, split), everything(root, split)
    assert points.dtype == np.float32
    assert points.shape[1:] == (2, 1, 1)
    away = (points[:, :, 0, 0] - centres[data.labels]) / sigma
    count = len(points) / len(centres)
    for mode in range(len(centres)):
        own = away[data.labels == mode]
        assert abs(len(own) - count) < 5 * np.sqrt(count)
        np.testing.assert_allclose(own.mean(0), 0, atol=5 / np.sqrt(len(own)))
        np.testing.assert_allclose(np.cov(own.T), np.eye(2), atol=7 / np.sqrt(len(own)))
    near = (np.hypot(*away.T) < 3).mean()  # Rayleigh: 1 − exp(−9/2)
    assert near == pytest.approx(1 - np.exp(-4.5), abs=5 * np.sqrt(0.011 / len(points)))


def test_the_data_set_says_what_it_holds(name: str, root: Path) -> None:
    centres, sigma = protocol(name)
    data = Dataset.open(root)
    facts = data.facts
    assert (facts.shape, facts.num_classes, facts.kind) == ((2, 1, 1), len(centres), "points")
    assert facts.mixture is not None
    np.testing.assert_allclose(facts.mixture.centres, centres, atol=1e-12)
    assert facts.mixture.sigma == sigma
    assert len(set(data.classes)) == len(centres)


def test_a_seed_gives_the_same_points_and_another_one_others(name: str, tmp_path: Path) -> None:
    def digest(out: str, **options: int) -> str:
        return str(prepare(source(name, count=500, test_count=50, **options), tmp_path / out)["digest"])

    assert digest("a") == digest("b", seed=0) != digest("c", seed=1)
    one, other = everything(tmp_path / "a"), everything(tmp_path / "c")
    assert not np.isin(one, other).any()
    assert not np.isin(one, everything(tmp_path / "a", "test")).any()


def test_fewer_points_are_the_first_of_more(name: str, root: Path, tmp_path: Path) -> None:
    prepare(source(name, count=700, test_count=0), tmp_path / "data", shard_bytes=800)
    few = Dataset.open(tmp_path / "data")
    np.testing.assert_array_equal(few.images(np.arange(700)), everything(root)[:700])
    np.testing.assert_array_equal(few.labels, np.asarray(Dataset.open(root).labels)[:700])
    assert len(list((tmp_path / "data/train").glob("images-*"))) == 7
    assert not (tmp_path / "data/test").exists()


def test_no_points_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^data\.count=0: must be at least 1$"):
        source("ring8", count=0)
    with pytest.raises(ConfigError, match=r"^data\.test_count=-1: 0 \(no test split\) or more$"):
        source("grid25", test_count=-1)
