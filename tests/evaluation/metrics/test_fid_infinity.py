import numpy as np
import pytest
import scipy.linalg
import torch

from ganflow.errors import ConfigError, GanflowError
from ganflow.evaluation.metrics.features import Features
from ganflow.evaluation.metrics.fid import FID
from ganflow.evaluation.metrics.fid_infinity import FIDInfinity, intercept


def features(x: np.ndarray) -> Features:
    return Features(torch.from_numpy(x), torch.empty(len(x), 0))


def drawn(n: int, size: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (n, size))


def test_it_is_nearer_to_the_distance_of_the_gaussian_than_fid_is() -> None:
    real = drawn(3000, 16, 0)
    mean, cov = real.mean(0), np.cov(real, rowvar=False)
    truth = ((0.1 - mean) ** 2).sum() + np.trace(np.eye(16) + cov - 2 * np.real(scipy.linalg.sqrtm(cov)))
    away: dict[str, list[float]] = {"fid": [], "fid_infinity": []}
    for seed in range(1, 21):
        fake = features(drawn(500, 16, seed, 0.1))
        figures = FID()(fake, features(real)) | FIDInfinity()(fake, features(real))
        for name, values in away.items():
            values.append(figures[name] - truth)
    assert min(away["fid"]) > 0.05  # its bias, which more trials would not take away
    error = float(np.std(away["fid_infinity"])) / 20**0.5
    assert abs(np.mean(away["fid_infinity"])) < 3 * error < min(away["fid"])
    assert np.abs(away["fid_infinity"]).max() < np.max(away["fid"])


def test_figures_are_the_same_each_time() -> None:
    fake, real = features(drawn(200, 4, 0)), features(drawn(300, 4, 1))
    assert FIDInfinity()(fake, real) == FIDInfinity()(fake, real)
    assert FIDInfinity(3)(fake, real) != FIDInfinity()(fake, real)


def test_the_line_is_numpy_s() -> None:
    x, y = np.random.default_rng(2).random((2, 15))
    assert intercept(x, y) == pytest.approx(np.polyfit(x, y, 1)[1], rel=1e-10)


@pytest.mark.parametrize(
    ("samples", "images", "line"),
    [
        (
            9,
            99,
            "9 samples of 9 features: the covariance needs more samples than features; "
            "raise evaluation.samples, or measure kid",
        ),
        (99, 9, "9 reference images of 9 features: the covariance needs more images than features; measure kid"),
        (19, 99, "half of 19 samples are no more than 9 features; raise evaluation.samples"),
    ],
)
def test_too_few_images_are_refused(samples: int, images: int, line: str) -> None:
    with pytest.raises(GanflowError) as refused:
        FIDInfinity()(features(drawn(samples, 9, 0)), features(drawn(images, 9, 1)))
    assert str(refused.value) == f"fid_infinity: {line}"


def test_one_size_makes_no_line() -> None:
    with pytest.raises(ConfigError) as refused:
        FIDInfinity(1)
    assert str(refused.value) == "sizes=1: must be at least 2"
