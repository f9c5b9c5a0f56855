"""One brightness and contrast for all images, against scikit-learn's scaler."""

import numpy as np
from sklearn.preprocessing import StandardScaler

from ganflow.signals.light import DEVIATION, MEAN, standardised


def images() -> np.ndarray:
    return np.random.default_rng(0).integers(60, 180, (5, 3, 8, 9)).astype(np.uint8)


def test_each_image_gets_the_mean_and_the_deviation_of_all() -> None:
    rows = images().reshape(5, -1).astype(float)
    expected = MEAN + DEVIATION * StandardScaler().fit_transform(rows.T).T
    np.testing.assert_allclose(standardised(images()).reshape(5, -1), expected, atol=0.5)


def test_brightness_and_contrast_leave_no_trace() -> None:
    darker = (images() // 2).astype(np.uint8)
    assert np.abs(standardised(2 * (darker - 10)).astype(int) - standardised(darker)).max() == 0


def test_what_is_far_away_is_black_or_white() -> None:
    spots = np.full((2, 1, 8, 8), 100, np.uint8)
    spots[0, 0, 0, 0], spots[1, 0, 0, 0] = 0, 255
    assert [image[0, 0, 0] for image in standardised(spots)] == [0, 255]


def test_an_image_of_one_value_is_grey() -> None:
    assert np.unique(standardised(np.full((1, 3, 4, 4), 7, np.uint8))).tolist() == [128]
