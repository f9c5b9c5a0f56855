"""Anomaly scores and maps, against NumPy and SciPy."""

from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import torch

from ganflow.generation.detection import as_picture, score, smoothed, threshold
from ganflow.methods.generator import Generator, GeneratorSpec

NODE = {
    "name": "autoencoder", "code": 5, "encoder": {"name": "conv", "width": 4},
    "decoder": {"name": "mlp", "widths": [8]},
}  # fmt: skip


def model(**options: Any) -> Generator:
    torch.manual_seed(0)
    detection = {"normal": ["3"], "latent": 0.0, "smooth": 0.0, "relative": False, "pool": "mean"} | options
    spec = GeneratorSpec(NODE, 0, (3, 8, 12), 0, given_shape=(3, 8, 12), detection=detection)
    return Generator(spec.build(), spec)


def images() -> torch.Tensor:
    return torch.rand(4, 3, 8, 12, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_the_score_is_the_mean_square_of_the_map() -> None:
    made = model()
    scored = score(made, images())
    again = made.network(torch.zeros(4, 0), None, images()).numpy()
    maps = np.abs(images().numpy() - again).mean(1)
    np.testing.assert_allclose(scored.maps.numpy(), maps, atol=1e-6)
    np.testing.assert_allclose(scored.scores.numpy(), np.square(maps).mean((1, 2)), rtol=1e-5)
    assert (scored.again.dtype, scored.again.shape) == (torch.uint8, (4, 3, 8, 12))


def test_it_may_be_the_largest_value_of_the_smoothed_map() -> None:
    made = model()
    difference = images().numpy() - made.network(torch.zeros(4, 0), None, images()).numpy()
    scored = score(model(smooth=1.0, pool="max"), images())
    spread = scipy.ndimage.gaussian_filter(difference, (0, 0, 1.0, 1.0), mode="mirror", truncate=3)
    expected = np.abs(spread).mean(1)
    np.testing.assert_allclose(scored.maps.numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(scored.scores.numpy(), np.square(expected).max((1, 2)), rtol=1e-5)


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_a_share_of_it_may_be_the_distance_of_the_codes(share: float) -> None:
    made = model(latent=share)
    x, again = images(), made.network(torch.zeros(4, 0), None, images())
    codes = [made.network.encoder(of)[0].numpy() for of in (x, again)]
    between = np.square(codes[0] - codes[1]).mean(1)
    plain = score(model(), x).scores.numpy()
    np.testing.assert_allclose(score(made, x).scores.numpy(), (1 - share) * plain + share * between, rtol=1e-4)


def test_a_second_encoder_gives_the_code_of_the_reconstruction() -> None:
    torch.manual_seed(0)
    options = {"latent": 1.0, "smooth": 0.0, "relative": False, "pool": "mean"}
    spec = GeneratorSpec({**NODE, "second": True}, 0, (3, 8, 12), 0, given_shape=(3, 8, 12), detection=options)
    made, x = Generator(spec.build(), spec), images()
    again = made.network(torch.zeros(4, 0), None, x)
    first, second = made.network.encoder(x)[0].numpy(), made.network.second(again)[0].numpy()
    np.testing.assert_allclose(score(made, x).scores.numpy(), np.square(first - second).mean(1), rtol=1e-5)


def test_it_may_be_a_share_of_the_image_s_own_energy() -> None:
    x = images()
    x[3] = -1  # black: it has no energy
    energy = np.square((x.numpy() + 1) / 2).mean((1, 2, 3))
    plain, relative = (score(model(relative=flag), x).scores.numpy() for flag in (False, True))
    np.testing.assert_allclose(relative, plain / np.maximum(energy, 1e-3), rtol=1e-5)


def test_smoothing_fits_into_small_images() -> None:
    assert smoothed(torch.ones(1, 2, 3, 4), 5.0).allclose(torch.ones(1, 2, 3, 4))


def test_the_threshold_is_a_quantile_of_what_was_held_out() -> None:
    held_out = torch.rand(301, dtype=torch.float64)
    assert threshold(held_out, 0.99) == pytest.approx(float(np.quantile(held_out.numpy(), 0.99)))


def test_a_map_is_white_from_half_of_black_and_white_on() -> None:
    [image] = as_picture(torch.tensor([[[0.0, 0.5, 1.0, 2.0]]]))
    assert image[..., 0].tolist() == [[0, 127, 255, 255]]
